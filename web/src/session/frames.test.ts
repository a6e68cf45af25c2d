import { expect, test } from "vitest";
import { Frames } from "./frames";

function frame(length: number, fill: number): Uint8Array {
  const bytes = new Uint8Array(4 + length).fill(fill);
  new DataView(bytes.buffer).setUint32(0, length, true);
  return bytes;
}

test("frames come out whole, however they were cut", () => {
  const stream = new Uint8Array([...frame(3, 1), ...frame(0, 2), ...frame(300, 3)]);
  for (const size of [1, 2, 3, 5, 7, 100, stream.length]) {
    const frames = new Frames();
    const taken: number[] = [];
    for (let at = 0; at < stream.length; at += size) {
      const whole = frames.take(stream.subarray(at, at + size));
      taken.push(...whole);
      expect([7, 11, 315, 0, 4, 308, 304], `${whole.length}`).toContain(whole.length);
    }
    expect(taken).toEqual([...stream]);
  }
});
