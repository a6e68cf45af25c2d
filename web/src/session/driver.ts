import { DeskClient } from "../wasm/desk_client";
import { Line } from "./line";
import type { Storage, StoredClient } from "./storage";
import type { Report } from "./report";

/** What the driver needs from, and tells to, whoever shows the desk. */
export interface DriverHost {
  /** Everything that happened; called after each call of the core. */
  report(report: Report): void;
  /** The row that goes with what is stored. */
  stored(): StoredClient;
  /** Whether unsent work survives this tab. */
  kept(kept: boolean): void;
}

/** The longest time that a browser's timer takes, in milliseconds. */
const TIMER_MAX = 2 ** 31 - 1;

/**
 * Runs the core: the line, the timer and the browser's storage. It decides
 * nothing about the desk.
 */
export class Driver {
  #line: Line | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #writing = false;
  #pumping = false;
  #again = false;
  #stopped = false;

  constructor(
    readonly core: DeskClient,
    private readonly storage: Storage | undefined,
    private readonly host: DriverHost,
  ) {
    if (storage === undefined) this.#giveUpStoring();
    else host.kept(true);
  }

  /** Does what the core wants after `call`. Errors of `call` go to the caller. */
  run<T>(call: (core: DeskClient, now: number) => T): T {
    try {
      return call(this.core, Date.now());
    } finally {
      this.#pump();
    }
  }

  /** Ends the page's part; the core's state stays in the storage. */
  stop(): void {
    this.#stopped = true;
    this.#line?.close();
    this.#line = undefined;
    clearTimeout(this.#timer);
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
    for (;;) {
      const message = this.#line === undefined ? undefined : this.core.transmit(Date.now());
      if (message === undefined) break;
      this.#line?.send(message as Uint8Array<ArrayBuffer>);
    }
    this.#store();
    clearTimeout(this.#timer);
    if (report.wake !== null) {
      const delay = Math.min(TIMER_MAX, Math.max(0, report.wake - Date.now()));
      this.#timer = setTimeout(() => this.run((core, now) => core.handleTimeout(now)), delay);
    }
    this.host.report(report);
  }

  #openLine(): void {
    this.#dropLine();
    const line = new Line(this.core.sessionKey(), this.core.revision(), {
      opened: () => this.run((core, now) => core.connected(now)),
      message: (bytes) => this.run((core, now) => core.receive(now, bytes)),
      lost: () => {
        if (this.#line === line) this.#line = undefined;
        this.run((core, now) => core.disconnected(now));
      },
      ended: (word, code, detail) =>
        this.run((core, now) => {
          if (this.#line === line) this.#line = undefined;
          if (!core.closed(now, word, code, detail)) core.disconnected(now);
        }),
    });
    this.#line = line;
  }

  #dropLine(): void {
    this.#line?.close();
    this.#line = undefined;
  }

  /** One write at a time; what changes meanwhile goes with the next. */
  #store(): void {
    if (this.storage === undefined || this.#writing) return;
    const records = this.core.persist();
    if (records === undefined) return;
    this.#writing = true;
    this.storage
      .save(this.host.stored(), records.takeBase(), records.takeQueue())
      .then(
        () => this.core.persisted(records),
        () => {
          records.free();
          this.#giveUpStoring();
        },
      )
      .finally(() => {
        this.#writing = false;
        this.#pump();
      });
  }

  #giveUpStoring(): void {
    this.core.stopPersisting();
    this.host.kept(false);
  }
}
