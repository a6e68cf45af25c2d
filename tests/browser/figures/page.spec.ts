import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Browser, type BrowserContext, chromium, type Page } from "@playwright/test";
import { expect, test as base, withoutWebTransport } from "../fixtures.ts";
import { Cable, Desk } from "../specs/desk.ts";
import { crowd } from "./crowd.ts";
import { cost, part } from "./trace.ts";

const OUT = join(dirname(fileURLToPath(import.meta.url)), "../../../target/bench/page.json");
const figures: Record<string, number> = {};

/** Each person has a browser of its own, so that a trace shows one page alone. */
const test = base.extend<{ alone: () => Promise<[Page, Browser]> }>({
  alone: async ({ launchOptions, server }, use) => {
    const browsers: Browser[] = [];
    await use(async () => {
      const browser = await chromium.launch(launchOptions);
      browsers.push(browser);
      const context = await browser.newContext({ baseURL: server.url, viewport: { width: 1280, height: 800 } });
      return [await context.newPage(), browser];
    });
    await Promise.all(browsers.map((browser) => browser.close()));
  },
});
test.describe.configure({ mode: "serial" });
test.setTimeout(300_000);

function note(name: string, value: number): void {
  figures[name] = Math.round(value * 10) / 10;
  console.log(`${name}: ${figures[name]}`);
  mkdirSync(dirname(OUT), { recursive: true });
  writeFileSync(OUT, JSON.stringify(figures, null, 2));
}

/** Puts notes onto the desk, 20 units apart, through the API. */
async function fill(page: Page, count: number): Promise<void> {
  const key = await page.evaluate(async () => {
    const body = { name: location.pathname.slice(3), create_new: false, desk: false };
    const headers = { "Content-Type": "application/json" };
    const answer = await fetch("/api/desk/init", { method: "POST", headers, body: JSON.stringify(body) });
    return (await answer.json()).session_key as string;
  });
  const columns = Math.ceil(Math.sqrt(count * 1.6));
  const colors = ["#ffe066", "#ffc59e", "#ffb3c4", "#dcc6ff", "#a9d8ff", "#aeeacb"];
  for (let from = 0, seq = 1; from < count; from += 500, seq++) {
    const ops = Array.from({ length: Math.min(500, count - from) }, (_, at) => ({
      create: {
        x: ((from + at) % columns) * 220,
        y: Math.floor((from + at) / columns) * 220,
        color: colors[(from + at) % colors.length],
        text: `Note ${from + at}: something that somebody meant to say`,
      },
    }));
    const answer = await page.request.patch("/api/desk/collaboration/sync", {
      headers: { "WebSocket-Session-Key": key, "R-User-ID": "figures" },
      data: { client_seq: seq, base_revision: 0, ops },
    });
    expect(answer.status(), await answer.text()).toBe(221);
  }
}

/** A desk with so many notes, open in one browser. */
async function desk(alone: () => Promise<[Page, Browser]>, count: number): Promise<[Desk, Browser]> {
  const [page, browser] = await alone();
  const made = await Desk.create(page);
  if (count > 0) {
    await fill(page, count);
    await page.reload();
    await made.expectSaved();
    await settled(page);
  }
  return [made, browser];
}

/** Frames pass until the page has nothing left to do. */
function settled(page: Page): Promise<void> {
  return page.evaluate(async () => {
    for (let quiet = 0; quiet < 20; ) {
      const from = performance.now();
      await new Promise(requestAnimationFrame);
      quiet = performance.now() - from < 30 ? quiet + 1 : 0;
    }
  });
}

/** Each step in a frame of its own. */
async function steps(page: Page, count: number, step: (at: number) => Promise<void>): Promise<void> {
  for (let at = 0; at < count; at++) {
    await step(at);
    await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  }
}

const pan = async (page: Page): Promise<void> => {
  await page.mouse.move(640, 790);
  await page.mouse.down({ button: "middle" });
  await steps(page, 60, (at) => page.mouse.move(640 + 6 * at, 790 - 5 * at));
  await page.mouse.up({ button: "middle" });
};

test("first load", async ({ alone }) => {
  const [first] = await alone();
  const link = (await Desk.create(first)).page.url();
  const [page] = await alone();
  const network = await (page.context() as BrowserContext).newCDPSession(page);
  await network.send("Network.enable");
  let bytes = 0;
  network.on("Network.loadingFinished", (event) => {
    bytes += event.encodedDataLength;
  });
  await Desk.open(page, link);
  note("first load of a desk, KB", bytes / 1000);
});

for (const count of [0, 2000]) {
  test(`keys with ${count} notes`, async ({ alone }) => {
    const [ann] = await desk(alone, count);
    const [page] = await alone();
    const bob = await ann.join(page);
    for (const one of [ann, bob]) {
      await one.page.keyboard.press("0");
      await settled(one.page);
    }
    await ann.page.keyboard.press("n");
    await expect(ann.editor).toBeFocused();
    await ann.page.keyboard.type("x");
    await bob.page.evaluate(() => {
      const seen: number[] = [];
      Object.assign(globalThis, { seen });
      const look = (): void => {
        const length = document.body.innerText.match(/x[abc]*/)?.[0].length ?? 0;
        while (length > 1 && seen.length < length - 1) seen.push(performance.timeOrigin + performance.now());
        requestAnimationFrame(look);
      };
      look();
    });
    await ann.page.evaluate(() => {
      const keys: [number, number][] = [];
      Object.assign(globalThis, { keys });
      addEventListener("keydown", (event) => {
        const at = performance.timeOrigin + event.timeStamp;
        const channel = new MessageChannel();
        channel.port1.onmessage = () => keys.push([at, performance.now() - event.timeStamp]);
        requestAnimationFrame(() => channel.port2.postMessage(0));
      }, true);
    });
    for (let at = 0; at < 60; at++) await ann.page.keyboard.type("abc"[at % 3]!, { delay: 40 });
    await ann.expectSaved();
    const keys = await ann.page.evaluate(() => (globalThis as unknown as { keys: [number, number][] }).keys);
    note(`key to own paint, ${count} notes, p50 ms`, part(keys.map(([, own]) => own), 0.5));
    note(`key to own paint, ${count} notes, p95 ms`, part(keys.map(([, own]) => own), 0.95));
    const seen = await bob.page.evaluate(() => (globalThis as unknown as { seen: number[] }).seen);
    const far = seen.map((at, index) => at - (keys[index]?.[0] ?? NaN)).filter(Number.isFinite);
    if (far.length > 0) note(`key to another window, ${count} notes, p95 ms`, part(far, 0.95));
  });
}

test("2,000 notes", async ({ alone }) => {
  const [ann, browser] = await desk(alone, 2000);
  const { page } = ann;
  await page.addInitScript(() => {
    const look = (): void => {
      const canvas = document.querySelector<HTMLCanvasElement>("canvas.overview");
      const drawn = canvas?.getContext("2d")?.getImageData(canvas.width / 2, canvas.height / 2, 60, 60).data.some((v) => v > 0);
      if (drawn === true || document.querySelectorAll("[data-note]").length >= 2000) {
        requestAnimationFrame(() => Object.assign(globalThis, { painted: performance.now() }));
      } else requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  });
  // The window shows all notes again after a reload, as a new client's.
  await page.keyboard.press("1");
  await settled(page);
  await page.evaluate(() => sessionStorage.clear());
  await page.evaluate(() => indexedDB.deleteDatabase("sticker-desk"));
  await page.reload();
  await page.waitForFunction(() => "painted" in globalThis);
  const painted = await page.evaluate(() => {
    const [init] = performance.getEntriesByType("resource").filter((one) => one.name.endsWith("/init"));
    const { painted } = globalThis as unknown as { painted: number };
    return painted - ((init as PerformanceResourceTiming | undefined)?.responseEnd ?? 0);
  });
  note("2,000 notes painted after the snapshot, ms", painted);

  await settled(page);
  const zoom = await cost(browser, page, async () => {
    await page.mouse.move(640, 400);
    await steps(page, 24, (at) => page.mouse.wheel(0, at < 12 ? -120 : 120));
  });
  note("zoom, CPU a frame p50 ms", zoom.p50);
  note("zoom, CPU a frame p95 ms", zoom.p95);
  await page.keyboard.press("1");
  await settled(page);
  note("pan, all in sight, CPU a frame p95 ms", (await cost(browser, page, () => pan(page))).p95);
  await page.keyboard.press("0");
  await settled(page);
  const near = await cost(browser, page, () => pan(page));
  note("pan, 100 %, CPU a frame p50 ms", near.p50);
  note("pan, 100 %, CPU a frame p95 ms", near.p95);
  const some = await ann.box(ann.notes.first());
  await page.keyboard.press("1");
  await page.keyboard.press("0");
  await settled(page);
  const drag = await cost(browser, page, async () => {
    await page.mouse.move(640, 400);
    await page.mouse.down();
    await steps(page, 60, (at) => page.mouse.move(640 + 4 * at, 400 + 3 * at));
    await page.mouse.up();
  });
  expect(some.width).toBeGreaterThan(0);
  note("drag, 100 %, CPU a frame p50 ms", drag.p50);
  note("drag, 100 %, CPU a frame p95 ms", drag.p95);
});

test("fifty pointers over 2,000 notes", async ({ alone }) => {
  const [ann, browser] = await desk(alone, 2000);
  const { page } = ann;
  await page.keyboard.press("0");
  const [others] = await alone();
  await crowd(others, new URL(page.url()).pathname.slice(3), 50);
  await expect(page.getByText("+46")).toBeVisible();
  const watching = await cost(browser, page, () => steps(page, 90, () => Promise.resolve()));
  note("50 pointers, watching, CPU a frame p50 ms", watching.p50);
  note("50 pointers, watching, CPU a frame p95 ms", watching.p95);
  const panning = await cost(browser, page, () => pan(page));
  note("50 pointers, panning, CPU a frame p50 ms", panning.p50);
  note("50 pointers, panning, CPU a frame p95 ms", panning.p95);
});

test("style work grows no faster than notes", async ({ alone }) => {
  const style: number[] = [];
  for (const count of [1000, 4000]) {
    const [ann, browser] = await desk(alone, count);
    const work = await cost(browser, ann.page, async () => {
      await ann.page.mouse.move(640, 400);
      await steps(ann.page, 16, (at) => ann.page.mouse.wheel(0, at < 8 ? -120 : 120));
    });
    style.push(work.style);
  }
  note("style work, 4,000 over 1,000 notes, times", style[1]! / style[0]!);
});

test("memory of 5,000 notes", async ({ alone }) => {
  const [page] = await alone();
  await page.addInitScript(() => {
    const real = WebAssembly.instantiateStreaming;
    WebAssembly.instantiateStreaming = async (...given) => {
      const made = await real.apply(WebAssembly, given);
      Object.assign(globalThis, { memory: made.instance.exports["memory"] });
      return made;
    };
  });
  const ann = await Desk.create(page);
  await fill(page, 5000);
  await page.reload();
  await ann.expectSaved();
  await settled(page);
  const inspector = await page.context().newCDPSession(page);
  await inspector.send("HeapProfiler.collectGarbage");
  const { usedSize } = await inspector.send("Runtime.getHeapUsage");
  const wasm = await page.evaluate(
    () => (globalThis as unknown as { memory: WebAssembly.Memory }).memory.buffer.byteLength,
  );
  note("5,000 notes, JS heap MB", usedSize / 1e6);
  note("5,000 notes, WASM memory MB", wasm / 1e6);
});

test("offline edits", async ({ alone }) => {
  const [page] = await alone();
  await withoutWebTransport(page.context());
  const cable = await Cable.of(page);
  const ann = await Desk.create(page);
  await ann.add("moves");
  await ann.note("moves").click();
  await ann.expectSaved();
  await cable.cut();
  await expect(ann.status).toHaveAttribute("data-status", "offline");
  for (let at = 0; at < 100; at++) await page.keyboard.press("ArrowRight");
  cable.repair();
  const waited = await page.evaluate(
    () =>
      new Promise<number>((done) => {
        let live = 0;
        const look = (): void => {
          const status = document.querySelector("[data-status]")?.getAttribute("data-status");
          if (status !== "offline" && live === 0) live = performance.now();
          if (status === "saved") done(performance.now() - live);
          else requestAnimationFrame(look);
        };
        look();
        window.dispatchEvent(new Event("online"));
      }),
  );
  note("100 offline edits to Saved, ms", waited);
});
