import { webSocketUrl } from "./api";
import type { Runner, RunnerEvents } from "./runner";

/** One WebSocket to the desk. */
export class SocketLine implements Runner {
  #socket: WebSocket | undefined;

  constructor(key: string, events: RunnerEvents) {
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
      else events.failed("it did not open");
    };
  }

  send(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(bytes);
  }

  close(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    if (socket === undefined) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }
}
