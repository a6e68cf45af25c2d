import { checkKey, Problem } from "./api";
import { knownPlace } from "./places";
import type { Runner, RunnerEvents } from "./runner";
import { SessionLine } from "./session_line";
import { SocketLine } from "./socket_line";

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

/** How long WebTransport is tried alone, in milliseconds: its first packet is repeated then. */
const HEAD_START_MS = 300;
/** How long WebTransport may take to open, in milliseconds: Chromium gives up then, too. */
const GIVE_UP_MS = 4000;
/** How long WebTransport is left alone once it did not get through, in milliseconds. */
const AVOIDED_MS = 300_000;

/** Until when WebTransport is left alone, and why, for the curious. */
let avoided = { until: 0, why: "" };

/** One line to the desk, over WebTransport or WebSocket, whichever opens first. */
export class Line {
  readonly #closed = new AbortController();
  readonly #runners = new Map<string, Runner>();
  /** The transport that won. */
  #open: string | undefined;
  #heard = false;
  #start: ReturnType<typeof setTimeout> | undefined;
  #late: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly key: string,
    private readonly revision: number,
    private readonly events: LineEvents,
  ) {
    const place = "WebTransport" in globalThis ? knownPlace() : undefined;
    if (place === undefined || Date.now() < avoided.until) {
      this.#openSocket();
      return;
    }
    const session = new SessionLine(place, key, this.#eventsOf("webtransport"));
    this.#runners.set("webtransport", session);
    this.#start = setTimeout(() => this.#openSocket(), HEAD_START_MS);
    this.#late = setTimeout(() => {
      session.close();
      this.#fail("webtransport", "it did not open in time");
    }, GIVE_UP_MS);
  }

  send(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.#open !== undefined) this.#runners.get(this.#open)?.send(bytes);
  }

  /** Closes without a word to whoever opened it. */
  close(): void {
    // A line on which nothing came does not get through.
    if (this.#open === "webtransport" && !this.#heard) avoid("nothing came over it");
    this.#finish();
    for (const runner of this.#runners.values()) runner.close();
    this.#runners.clear();
  }

  #openSocket(): void {
    clearTimeout(this.#start);
    this.#start = undefined;
    if (this.#runners.has("websocket") || this.#open !== undefined) return;
    this.#runners.set("websocket", new SocketLine(this.key, this.#eventsOf("websocket")));
  }

  #eventsOf(name: string): RunnerEvents {
    const ifOpen = (tell: () => void) => {
      if (this.#open === name && !this.#closed.signal.aborted) tell();
    };
    return {
      opened: () => this.#win(name),
      message: (bytes) =>
        ifOpen(() => {
          this.#heard = true;
          this.events.message(bytes);
        }),
      ended: (code, detail) =>
        ifOpen(() => {
          if (name === "webtransport" && !this.#heard) avoid("nothing came over it");
          this.#finish();
          this.events.ended(code, detail);
        }),
      failed: (why) => this.#fail(name, why),
    };
  }

  #win(name: string): void {
    if (this.#open !== undefined || this.#closed.signal.aborted) return;
    this.#open = name;
    clearTimeout(this.#start);
    clearTimeout(this.#late);
    for (const [other, runner] of this.#runners) {
      if (other === name) continue;
      if (other === "webtransport") avoid("WebSocket was faster");
      runner.close();
      this.#runners.delete(other);
    }
    show(name);
    this.events.opened();
  }

  #fail(name: string, why: string): void {
    if (this.#open !== undefined || this.#closed.signal.aborted) return;
    if (!this.#runners.delete(name)) return;
    if (name === "webtransport") {
      clearTimeout(this.#late);
      avoid(why);
      this.#openSocket();
    } else if (this.#runners.size === 0) void this.#explain();
  }

  #finish(): void {
    this.#closed.abort();
    clearTimeout(this.#start);
    clearTimeout(this.#late);
    if (this.#open !== undefined) show(undefined);
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

function avoid(why: string): void {
  avoided = { until: Date.now() + AVOIDED_MS, why };
}

/** Tells the curious what carries the line, and why nothing better does. */
function show(transport: string | undefined): void {
  const { dataset } = document.documentElement;
  if (transport === undefined) delete dataset["transport"];
  else dataset["transport"] = transport;
  if (transport !== "websocket" || avoided.why === "") delete dataset["transportWhy"];
  else dataset["transportWhy"] = `WebTransport is not used: ${avoided.why}`;
}
