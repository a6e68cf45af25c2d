import { findDesk, type Problem } from "./api";
import { doubtMachine, machinesToAsk } from "./machines";
import { knownPlace, type Place } from "./places";
import { PollLine } from "./poll_line";
import { probe } from "./probe";
import type { Runner, RunnerEvents } from "./runner";
import { SessionLine } from "./session_line";
import { SocketLine } from "./socket_line";
import { avoid, doubt, isAvoided, isDoubted, show, type Transport, trust } from "./transports";

/** What a line tells whoever opened it; nothing once it was closed. */
export interface LineEvents {
  /** It is open; whether it has datagrams. */
  opened(datagrams: boolean): void;
  message(bytes: Uint8Array): void;
  datagram(bytes: Uint8Array): void;
  /** It ended, with a close code of WebSocket. */
  ended(code: number, detail: string): void;
  /** It was not to be had, and this is how the server answered a plain request. */
  refused(status: number, code: string | undefined, detail: string): void;
  /** It was not to be had, and a plain request was not answered either. */
  lost(): void;
  /** It ended because a better one is to be had. */
  outdone(): void;
}

/** How long WebTransport is tried alone, in milliseconds: its first packet is repeated then. */
const HEAD_START_MS = 300;
/** How long WebTransport may take to open, in milliseconds: Chromium gives up then, too. */
const GIVE_UP_MS = 4000;
/**
 * When plain requests begin, in milliseconds: a network that swallows upgrades says nothing,
 * and a WebSocket needs four round trips.
 */
const POLL_MS = 2500;

/** One line to the desk, over whichever transport opens first; plain requests come last. */
export class Line {
  readonly #runners = new Map<Transport, Runner>();
  /** The transport that won. */
  #open: Transport | undefined;
  #heard = false;
  #closed = false;
  readonly #timers: ReturnType<typeof setTimeout>[] = [];
  #stopProbe: (() => void) | undefined;

  constructor(
    private readonly key: string,
    private readonly events: LineEvents,
  ) {
    void this.#begin();
  }

  async #begin(): Promise<void> {
    const machines = machinesToAsk();
    if (machines.length > 0) await findDesk(this.key, machines);
    if (this.#closed) return;
    const { key } = this;
    const place = sessionPlace();
    if (place !== undefined) {
      this.#start("webtransport", (events) => new SessionLine(place, key, events));
      this.#after(GIVE_UP_MS, () => {
        this.#runners.get("webtransport")?.close();
        this.#fail("webtransport", "it did not open in time");
      });
    }
    this.#after(place === undefined ? 0 : HEAD_START_MS, () => this.#openSocket());
    this.#after(isDoubted("websocket") ? HEAD_START_MS : POLL_MS, () => this.#openPoll());
  }

  send(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.#open !== undefined) this.#runners.get(this.#open)?.send(bytes);
  }

  sendDatagram(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.#open !== undefined) this.#runners.get(this.#open)?.sendDatagram?.(bytes);
  }

  /** Closes without a word to whoever opened it. */
  close(): void {
    this.#judge();
    this.#finish();
    for (const runner of this.#runners.values()) runner.close();
    this.#runners.clear();
  }

  #after(delay: number, act: () => void): void {
    if (delay === 0) act();
    else this.#timers.push(setTimeout(act, delay));
  }

  #openSocket(): void {
    if (isAvoided("websocket")) this.#openPoll();
    else this.#start("websocket", (events) => new SocketLine(this.key, events));
  }

  #openPoll(): void {
    this.#start("poll", (events) => new PollLine(this.key, events));
  }

  #start(name: Transport, make: (events: RunnerEvents) => Runner): void {
    if (this.#closed || this.#open !== undefined || this.#runners.has(name)) return;
    this.#runners.set(name, make(this.#eventsOf(name)));
  }

  #eventsOf(name: Transport): RunnerEvents {
    const ifOpen = (tell: () => void) => {
      if (this.#open === name && !this.#closed) tell();
    };
    return {
      opened: () => this.#win(name),
      message: (bytes) =>
        ifOpen(() => {
          this.#heard = true;
          this.events.message(bytes);
        }),
      datagram: (bytes) => ifOpen(() => this.events.datagram(bytes)),
      ended: (code, detail) =>
        ifOpen(() => {
          this.#judge();
          this.#finish();
          this.events.ended(code, detail);
        }),
      failed: (why, problem) => this.#fail(name, why, problem),
    };
  }

  #win(name: Transport): void {
    if (this.#open !== undefined || this.#closed) return;
    this.#open = name;
    for (const timer of this.#timers) clearTimeout(timer);
    for (const [other, runner] of this.#runners) {
      if (other === name) continue;
      if (other === "webtransport") avoid(other, "it had not opened when another transport had");
      if (other === "websocket") doubt(other, "it did not open in time");
      runner.close();
      this.#runners.delete(other);
    }
    show(name);
    this.events.opened(this.#runners.get(name)?.sendDatagram !== undefined);
    if (name === "poll") this.#stopProbe = probe(this.key, () => this.#yield());
  }

  /** Something better than plain requests gets through. */
  #yield(): void {
    if (this.#closed) return;
    this.close();
    this.events.outdone();
  }

  #fail(name: Transport, why: string, problem?: Problem): void {
    if (this.#open !== undefined || this.#closed) return;
    if (!this.#runners.delete(name)) return;
    if (name === "webtransport") {
      avoid(name, why);
      this.#openSocket();
    } else if (name === "websocket") {
      doubt(name, why);
      this.#openPoll();
    }
    if (this.#runners.size > 0) return;
    // Where plain requests get no answer either, it is not the WebSocket's fault.
    if (!isAvoided("websocket")) trust("websocket");
    this.#finish();
    // A refused handshake tells a page nothing; a refused request does.
    if (problem === undefined) this.events.lost();
    else this.events.refused(problem.status, problem.code, problem.detail);
  }

  /** A line on which nothing came does not get through. */
  #judge(): void {
    if (this.#open === undefined || this.#open === "poll" || this.#heard) return;
    avoid(this.#open, "nothing came over it");
  }

  #finish(): void {
    this.#closed = true;
    doubtMachine();
    this.#stopProbe?.();
    for (const timer of this.#timers) clearTimeout(timer);
    if (this.#open !== undefined) show(undefined);
  }
}

/** Where WebTransport is to be tried, if it is. */
function sessionPlace(): Place | undefined {
  const place = "WebTransport" in globalThis ? knownPlace() : undefined;
  return isAvoided("webtransport") ? undefined : place;
}
