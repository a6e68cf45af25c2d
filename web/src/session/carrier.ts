import { DeskClient } from "../wasm/desk_client";
import { Driver } from "./driver";
import type { Storage, StoredClient } from "./storage";
import { hold } from "./tab";

/**
 * Brings the work of closed tabs to the server. A tab goes on as one client
 * only; when several were closed with unsent work, the others' would wait for
 * as many tabs to be opened. Their clients run here, unseen, until all is sent.
 */
export class Carriers {
  #drivers: Driver[] = [];

  constructor(
    private readonly storage: Storage,
    private readonly seed: () => [number, number],
  ) {}

  /** Looks after every client of `stored` that no tab holds. */
  async carry(stored: readonly StoredClient[]): Promise<void> {
    for (const { key } of stored) {
      if (!(await hold(key, 0))) continue;
      // Read again under the lock: its tab may have worked on until it closed.
      const client = await this.storage.client(key);
      if (client === undefined) continue;
      if (client.pending === 0) await this.storage.remove([client.key]);
      else await this.#start(client);
    }
  }

  stop(): void {
    for (const driver of this.#drivers) driver.stop();
  }

  async #start(row: StoredClient): Promise<void> {
    const records = await this.storage.load(row.key);
    if (records === undefined) return;
    const [high, low] = this.seed();
    let ended = false;
    const driver: Driver = new Driver(
      DeskClient.restore(high, low, records.base, records.queue),
      this.storage,
      {
        report: (report) => {
          const pending = report.status.pending + report.unsaved.length;
          const done = pending === 0 && report.line === "live";
          if (ended || !(done || report.closed !== undefined)) return;
          ended = true;
          // What the server refused stays, for the tab that adopts this client.
          driver.stop();
          if (done) void this.storage.remove([row.key]);
        },
        stored: (report) => ({
          ...row,
          pending: report.status.pending + report.unsaved.length,
          savedAt: Date.now(),
        }),
        kept: () => undefined,
      },
    );
    this.#drivers.push(driver);
    driver.run((core, now) => core.setWatched(now, false));
  }
}
