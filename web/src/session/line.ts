import { checkKey, Problem, webSocketUrl } from "./api";

/** What a line tells whoever opened it. */
export interface LineEvents {
  opened(): void;
  message(bytes: Uint8Array): void;
  /** Lost, or not to be had: worth another try. */
  lost(): void;
  /** The server says why it ended, in a word or a WebSocket code of its own. */
  ended(word: string, code: number, detail: string): void;
}

/** Codes from here on are the application's (RFC 6455). */
const OWN_CODES = 4000;

/** One WebSocket to the desk. */
export class Line {
  #socket: WebSocket | undefined;

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
      if (event.code >= OWN_CODES) events.ended("", event.code, event.reason);
      else if (open) events.lost();
      else void this.#explain();
    };
  }

  send(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(bytes);
  }

  /** Closes without a word to whoever opened it. */
  close(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    if (socket === undefined) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  /** A refused handshake tells a page nothing; a plain request with the same key does. */
  async #explain(): Promise<void> {
    try {
      await checkKey(this.key, this.revision);
    } catch (error) {
      const word = error instanceof Problem ? WORDS[error.status] : undefined;
      if (word !== undefined && error instanceof Problem) {
        this.events.ended(word, 0, error.detail);
        return;
      }
    }
    this.events.lost();
  }
}

const WORDS: Record<number, string> = { 401: "key_void", 404: "key_void", 410: "expired" };
