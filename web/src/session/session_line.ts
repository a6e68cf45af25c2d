import { fromBase64 } from "./api";
import { Frames } from "./frames";
import { forgetPlace, type Place } from "./places";
import type { Runner, RunnerEvents } from "./runner";

/** Datagrams that wait to be read: presence of many people comes at once. */
const DATAGRAMS_WAITING = 256;

/** One WebTransport session with the desk. */
export class SessionLine implements Runner {
  readonly #transport: WebTransport;
  #writer: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>> | undefined;
  readonly #datagrams: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  #closed = false;
  #open = false;

  constructor(
    place: Place,
    key: string,
    private readonly events: RunnerEvents,
  ) {
    const url = `${place.webtransport}?session_key=${encodeURIComponent(key)}`;
    const hashes = place.certificates.map((hash) => ({
      algorithm: "sha-256",
      value: fromBase64(hash) as Uint8Array<ArrayBuffer>,
    }));
    this.#transport = new WebTransport(
      url,
      hashes.length === 0 ? {} : { serverCertificateHashes: hashes },
    );
    // By default one waits, and the next replaces it.
    this.#transport.datagrams.incomingHighWaterMark = DATAGRAMS_WAITING;
    this.#datagrams = datagramsOf(this.#transport).getWriter();
    this.#datagrams.closed.catch(() => undefined);
    this.#transport.closed.then(
      ({ closeCode = 0, reason = "" }) => this.#end(closeCode, reason),
      () => this.#end(0, ""),
    );
    void this.#run();
  }

  send(bytes: Uint8Array<ArrayBuffer>): void {
    // A write that fails ends the session, and that is told.
    this.#writer?.write(bytes).catch(() => undefined);
  }

  sendDatagram(bytes: Uint8Array<ArrayBuffer>): void {
    // One that is too long for the path is dropped, as one that is lost.
    this.#datagrams.write(bytes).catch(() => undefined);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    // What was written leaves first. A session that is not open yet is dropped.
    const written = this.#writer?.close() ?? Promise.resolve();
    written.catch(() => undefined).finally(() => this.#transport.close());
  }

  async #run(): Promise<void> {
    try {
      await this.#transport.ready;
      const stream = await this.#transport.createBidirectionalStream();
      if (this.#closed) return;
      this.#writer = stream.writable.getWriter();
      this.#open = true;
      this.events.opened();
      void this.#readDatagrams();
      void this.#readSnapshots();
      await this.#readFrames(stream.readable);
    } catch {
      if (!this.#open) this.#end(0, "");
    }
  }

  /** The frames of one stream, until it ends. */
  async #readFrames(stream: ReadableStream<Uint8Array>): Promise<void> {
    const frames = new Frames();
    const reader = stream.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const whole = frames.take(value);
      if (whole.length > 0 && !this.#closed) this.events.message(whole);
    }
  }

  async #readDatagrams(): Promise<void> {
    try {
      const reader = (this.#transport.datagrams.readable as ReadableStream<Uint8Array>).getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        if (!this.#closed) this.events.datagram(value);
      }
    } catch {
      // The session has ended, and that is told.
    }
  }

  async #readSnapshots(): Promise<void> {
    try {
      const streams = this.#transport.incomingUnidirectionalStreams as ReadableStream<
        ReadableStream<Uint8Array>
      >;
      const reader = streams.getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        await this.#readFrames(value);
      }
    } catch {
      // The session has ended, and that is told.
    }
  }

  #end(code: number, reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#open) this.events.ended(code, reason);
    else {
      // The server may be at another address, or have another certificate, by now.
      forgetPlace();
      this.events.failed("it did not open");
    }
  }
}

/** Where datagrams are written: browsers are about to replace one way by another. */
function datagramsOf(transport: WebTransport): WritableStream<Uint8Array<ArrayBuffer>> {
  const datagrams = transport.datagrams as WebTransportDatagramDuplexStream & {
    writable?: WritableStream;
    createWritable?(): WritableStream;
  };
  return datagrams.createWritable?.() ?? (datagrams.writable as WritableStream);
}
