import type { Problem } from "./api";

/** A transport's part of a line. */
export interface Runner {
  send(bytes: Uint8Array<ArrayBuffer>): void;
  /** Sends what may be lost; only transports that have datagrams do. */
  sendDatagram?(bytes: Uint8Array<ArrayBuffer>): void;
  /** Closes without a word to whoever opened it. */
  close(): void;
}

/** What a transport tells. */
export interface RunnerEvents {
  opened(): void;
  message(bytes: Uint8Array): void;
  datagram(bytes: Uint8Array): void;
  ended(code: number, detail: string): void;
  /** It could not be opened; the server's own refusal, if the transport shows it. */
  failed(why: string, problem?: Problem): void;
}
