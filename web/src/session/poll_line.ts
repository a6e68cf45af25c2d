import { leavePoll, pollUrl, Problem, pollRequest } from "./api";
import type { Runner, RunnerEvents } from "./runner";

/** How long a request waits for frames, in seconds: less than proxies wait for an answer. */
const WAIT_S = 20;
/** Bytes of frames in one request: half of what a server takes by default. */
const PART_BYTES = 512 * 1024;

/**
 * A line over plain requests, for networks that let nothing better through: one request at
 * a time takes frames to the server, and one waits for frames from it.
 */
export class PollLine implements Runner {
  /** Names the line among those of this client. */
  readonly #line = crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;
  readonly #hearing = new AbortController();
  #out: Uint8Array<ArrayBuffer>[] = [];
  #said = 0;
  #saying = false;
  #closed = false;

  constructor(
    private readonly key: string,
    private readonly events: RunnerEvents,
  ) {
    addEventListener("pagehide", this.#leave);
    void this.#run();
  }

  send(bytes: Uint8Array<ArrayBuffer>): void {
    this.#out.push(bytes);
    void this.#say();
  }

  close(): void {
    this.#forget();
    // The server takes the end of the waiting request for the end of the line: what was
    // sent leaves before it.
    if (!this.#saying) this.#hearing.abort();
  }

  async #run(): Promise<void> {
    let open = false;
    try {
      // The empty first part opens it.
      await this.#ask("POST", this.#said++, new Blob());
      if (this.#closed) return;
      open = true;
      this.events.opened();
      for (let part = 0; !this.#closed; part++) {
        const frames = new Uint8Array(await this.#ask("GET", part));
        if (frames.length > 0 && !this.#closed) this.events.message(frames);
      }
    } catch (error) {
      this.#end(open, error);
    }
  }

  async #say(): Promise<void> {
    if (this.#saying) return;
    this.#saying = true;
    try {
      while (this.#out.length > 0) await this.#ask("POST", this.#said++, this.#takePart());
    } catch (error) {
      this.#end(true, error);
    }
    this.#saying = false;
    if (this.#closed) this.#hearing.abort();
  }

  /** Frames that are to be sent, as many as one request takes. */
  #takePart(): Blob {
    let bytes = 0;
    let count = 0;
    while (count < this.#out.length && (count === 0 || bytes < PART_BYTES)) {
      bytes += this.#out[count++]?.length ?? 0;
    }
    return new Blob(this.#out.splice(0, count));
  }

  #ask(method: string, part: number, body?: Blob): Promise<ArrayBuffer> {
    const waits = body === undefined;
    const url = pollUrl(this.#line, part, waits ? WAIT_S : undefined);
    return pollRequest(url, method, this.key, body, waits ? this.#hearing.signal : undefined);
  }

  /**
   * The page goes, or no request gets through. The server takes a request that is given up
   * for the end of the line, unless it was answered a moment before.
   */
  readonly #leave = (): void => {
    this.#forget();
    this.#hearing.abort();
    // A line that has said nothing is not known to the server.
    if (this.#said > 0) leavePoll(this.#line, this.#said++, this.key);
  };

  #forget(): void {
    this.#closed = true;
    removeEventListener("pagehide", this.#leave);
  }

  #end(open: boolean, error: unknown): void {
    if (this.#closed) return;
    // A browser fails the requests of a page that goes before it tells the page so.
    if (error instanceof Problem) this.close();
    else this.#leave();
    if (open) this.events.ended(0, "");
    else if (error instanceof Problem) this.events.failed("the server refused it", error);
    else this.events.failed("no request was answered");
  }
}
