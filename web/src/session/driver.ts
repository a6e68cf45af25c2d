import { DeskClient } from "../wasm/desk_client";
import { steadyNow } from "./clock.svelte";
import { Line } from "./line";
import type { Storage, StoredClient } from "./storage";
import type { Report } from "./report";

/** What the driver needs from, and tells to, whoever shows the desk. */
export interface DriverHost {
  /** Everything that happened; called for each call of the core, in order. */
  report(report: Report): void;
  /** The row that goes with what is stored, as of this report. */
  stored(report: Report): StoredClient;
  /** Whether unsent work survives this tab. */
  kept(kept: boolean): void;
}

/** The longest time that a browser's timer takes, in milliseconds. */
const TIMER_MAX = 2 ** 31 - 1;

/**
 * How long the first view of a desk waits for the greeting to go out, in milliseconds.
 * To show thousands of notes may keep a slow processor busy for longer than the server
 * waits for a greeting. Who has no line sees its desk after this time.
 */
const FIRST_VIEW_MS_MAX = 2000;
/** A page out of sight draws no frames: what came is told after this time, in milliseconds. */
const FRAME_MS_MAX = 60;

/**
 * Runs the core: the line, the timer and the browser's storage. It decides
 * nothing about the desk.
 */
export class Driver {
  #line: Line | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** The write to the storage that is under way. */
  #writing: Promise<void> | undefined;
  #pumping = false;
  #again = false;
  /** The frame before which what came by the line is told. */
  #frame: number | undefined;
  #late: ReturnType<typeof setTimeout> | undefined;
  #sent = false;
  #stopped = false;
  /** Reports that wait for the greeting; `undefined`: none waits any more. */
  #held: Report[] | undefined = [];
  #holding: ReturnType<typeof setTimeout> | undefined;

  constructor(
    readonly core: DeskClient,
    private readonly storage: Storage | undefined,
    private readonly host: DriverHost,
  ) {
    if (storage === undefined) this.#giveUpStoring();
    else host.kept(true);
    this.#holding = setTimeout(() => this.#show(), FIRST_VIEW_MS_MAX);
  }

  /** Does what the core wants after `call`. Errors of `call` go to the caller. */
  run<T>(call: (core: DeskClient, now: number) => T): T {
    try {
      return call(this.core, steadyNow());
    } finally {
      this.#pump();
    }
  }

  /** Waits until everything is in the storage that goes there. */
  async stored(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
  }

  /** Ends the page's part; the core's state stays in the storage. */
  stop(): void {
    this.#stopped = true;
    this.#line?.close();
    this.#line = undefined;
    clearTimeout(this.#timer);
    clearTimeout(this.#holding);
    this.#endFrame();
  }

  /**
   * A message came. Answers go out at once. What it changes is told before the next
   * frame, once for all messages until then: fifty pointers send 1,500 messages a second.
   */
  #receive(take: (core: DeskClient, now: number) => void): void {
    take(this.core, steadyNow());
    this.#send();
    if (this.#frame !== undefined) return;
    const tell = (): void => {
      this.#endFrame();
      this.#pump();
    };
    this.#frame = requestAnimationFrame(tell);
    this.#late = setTimeout(tell, FRAME_MS_MAX);
  }

  #endFrame(): void {
    if (this.#frame !== undefined) cancelAnimationFrame(this.#frame);
    clearTimeout(this.#late);
    this.#frame = undefined;
  }

  #send(): void {
    for (;;) {
      const frame = this.#line === undefined ? undefined : this.core.transmitDatagram(steadyNow());
      if (frame === undefined) break;
      this.#line?.sendDatagram(frame as Uint8Array<ArrayBuffer>);
    }
    for (;;) {
      const message = this.#line === undefined ? undefined : this.core.transmit(steadyNow());
      if (message === undefined) return;
      this.#line?.send(message as Uint8Array<ArrayBuffer>);
      this.#sent = true;
    }
  }

  #pump(): void {
    if (this.#stopped) return;
    this.#again = true;
    if (this.#pumping) return;
    this.#pumping = true;
    while (this.#again) {
      this.#again = false;
      this.#step();
    }
    this.#pumping = false;
  }

  #step(): void {
    const report = JSON.parse(this.core.report()) as Report;
    if (report.dropLine === true) this.#dropLine();
    if (report.connect === true) this.#openLine();
    this.#send();
    this.#store(report);
    clearTimeout(this.#timer);
    if (report.wake !== null) {
      const delay = Math.min(TIMER_MAX, Math.max(0, report.wake - steadyNow()));
      this.#timer = setTimeout(() => this.run((core, now) => core.handleTimeout(now)), delay);
    }
    if (this.#held === undefined) {
      this.host.report(report);
      return;
    }
    this.#held.push(report);
    if (this.#sent || (report.status.state !== "connecting" && report.line !== "joining")) this.#show();
  }

  /** The greeting is out, or is not to be had: the desk is shown. */
  #show(): void {
    clearTimeout(this.#holding);
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const report of held) this.host.report(report);
  }

  #openLine(): void {
    this.#dropLine();
    const line = new Line(this.core.sessionKey(), {
      opened: (datagrams) =>
        this.run((core, now) => {
          core.connected(now);
          if (datagrams) core.hasDatagrams();
        }),
      message: (bytes) => this.#receive((core, now) => core.receive(now, bytes)),
      datagram: (bytes) => this.#receive((core, now) => core.receiveDatagram(now, bytes)),
      ended: (code, detail) => this.#lineEnded((core, now) => core.closed(now, code, detail)),
      refused: (status, code, detail) =>
        this.#lineEnded((core, now) => core.refused(now, status, code, detail)),
      lost: () => this.#lineEnded((core, now) => core.disconnected(now)),
      outdone: () =>
        this.#lineEnded((core, now) => {
          core.disconnected(now);
          core.retryNow(now);
        }),
    });
    this.#line = line;
  }

  #lineEnded(tell: (core: DeskClient, now: number) => void): void {
    this.#line = undefined;
    this.run(tell);
  }

  #dropLine(): void {
    this.#line?.close();
    this.#line = undefined;
  }

  /** One write at a time; what changes meanwhile goes with the next. */
  #store(report: Report): void {
    if (this.storage === undefined || this.#writing !== undefined) return;
    const records = this.core.persist();
    if (records === undefined) return;
    this.#writing = this.storage
      .save(this.host.stored(report), records.takeBase(), records.takeQueue())
      .then(
        () => this.core.persisted(records),
        () => {
          records.free();
          this.#giveUpStoring();
        },
      )
      .finally(() => {
        this.#writing = undefined;
        this.#pump();
      });
  }

  #giveUpStoring(): void {
    this.core.stopPersisting();
    this.host.kept(false);
  }
}
