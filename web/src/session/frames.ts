/** Bytes of a frame's size, which it begins with (little endian). */
const SIZE_BYTES = 4;

/**
 * Whole frames out of one stream. Each stream has its own: frames of two streams come in any
 * order, and a frame must not come amid another.
 */
export class Frames {
  #rest = new Uint8Array(0);

  /** What came, up to the end of its last whole frame. */
  take(bytes: Uint8Array): Uint8Array {
    const all = new Uint8Array(this.#rest.length + bytes.length);
    all.set(this.#rest);
    all.set(bytes, this.#rest.length);
    const view = new DataView(all.buffer);
    let whole = 0;
    while (all.length - whole >= SIZE_BYTES) {
      const end = whole + SIZE_BYTES + view.getUint32(whole, true);
      if (end > all.length) break;
      whole = end;
    }
    this.#rest = all.slice(whole);
    return all.subarray(0, whole);
  }
}
