import { checkKey, Problem, webSocketUrl } from "./api";

/** What a line tells whoever opened it; nothing once it was closed. */
export interface LineEvents {
  opened(): void;
  message(bytes: Uint8Array): void;
  /** It ended, with a close code of WebSocket. */
  ended(code: number, detail: string): void;
  /** It was not to be had, and this is how a plain request was answered. */
  refused(status: number, code: string | undefined, detail: string): void;
  /** It was not to be had, and a plain request was not answered either. */
  lost(): void;
}

/** One WebSocket to the desk. */
export class Line {
  #socket: WebSocket | undefined;
  readonly #closed = new AbortController();

  constructor(
    private readonly key: string,
    private readonly revision: number,
    private readonly events: LineEvents,
  ) {
    const socket = new WebSocket(webSocketUrl(), ["sticker-desk.v1", `session.${key}`]);
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    let open = false;
    socket.onopen = () => {
      open = true;
      events.opened();
    };
    socket.onmessage = (event: MessageEvent) => {
      if (event.data instanceof ArrayBuffer) events.message(new Uint8Array(event.data));
    };
    socket.onclose = (event) => {
      this.#socket = undefined;
      if (open) events.ended(event.code, event.reason);
      else void this.#explain();
    };
  }

  send(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(bytes);
  }

  /** Closes without a word to whoever opened it. */
  close(): void {
    this.#closed.abort();
    const socket = this.#socket;
    this.#socket = undefined;
    if (socket === undefined) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  /** A refused handshake tells a page nothing; a plain request with the same key does. */
  async #explain(): Promise<void> {
    try {
      const status = await checkKey(this.key, this.revision, this.#closed.signal);
      if (!this.#closed.signal.aborted) this.events.refused(status, undefined, "");
    } catch (error) {
      if (this.#closed.signal.aborted) return;
      if (error instanceof Problem) {
        this.events.refused(error.status, error.code, error.detail);
      } else this.events.lost();
    }
  }
}
