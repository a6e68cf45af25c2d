import type { Browser, Page } from "@playwright/test";

/** What a frame cost the page's main thread, in milliseconds of CPU. */
export interface Cost {
  frames: number;
  p50: number;
  p95: number;
  /** Of the whole time, by what the thread did. */
  style: number;
}

interface TraceEvent {
  name: string;
  pid: number;
  tid: number;
  ts: number;
  tdur?: number;
  args?: { name?: string };
}

const CATEGORIES = ["devtools.timeline", "disabled-by-default-devtools.timeline", "toplevel"];

/** Traces the main thread of the browser's only page while `work` runs. */
export async function cost(browser: Browser, page: Page, work: () => Promise<void>): Promise<Cost> {
  await browser.startTracing(page, { categories: CATEGORIES });
  await work();
  const { traceEvents } = JSON.parse((await browser.stopTracing()).toString()) as {
    traceEvents: TraceEvent[];
  };
  const mains = new Set(
    traceEvents
      .filter((event) => event.name === "thread_name" && event.args?.name === "CrRendererMain")
      .map((event) => `${event.pid}.${event.tid}`),
  );
  const busy = new Map<string, TraceEvent[]>();
  for (const event of traceEvents) {
    const thread = `${event.pid}.${event.tid}`;
    if (!mains.has(thread)) continue;
    if (!busy.has(thread)) busy.set(thread, []);
    busy.get(thread)!.push(event);
  }
  const events = [...busy.values()].sort((a, b) => b.length - a.length)[0] ?? [];
  events.sort((a, b) => a.ts - b.ts);
  const frames: number[] = [];
  let style = 0;
  for (const { name, tdur = 0 } of events) {
    // Each frame ends in one; the event of its begin has gone from Chromium.
    if (name === "Commit") frames.push(0);
    if (name === "RunTask" && frames.length > 0) frames[frames.length - 1]! += tdur / 1000;
    if (name === "UpdateLayoutTree") style += tdur / 1000;
  }
  return { frames: frames.length, p50: part(frames, 0.5), p95: part(frames, 0.95), style };
}

/** The value below which this part of them lies. */
export function part(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
}
