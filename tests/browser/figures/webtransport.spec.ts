import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test as base } from "../fixtures.ts";
import { Relay } from "../relay.ts";
import { Server } from "../server.ts";
import { Desk } from "../specs/desk.ts";

const OUT = join(dirname(fileURLToPath(import.meta.url)), "../../../target/bench/webtransport.json");
/** The line's round trip, in milliseconds. */
const ROUND_TRIP = 200;
const TIMES = 7;

/** When a page began to open WebTransport, had it open, and was live over it. */
interface Times {
  began: number;
  open: number;
  ready: number;
}

function sorted(values: readonly number[]): number[] {
  return values.map((value) => Math.round(value * 100) / 100).sort((a, b) => a - b);
}

const test = base.extend<{ relay: Relay }>({
  relay: async ({}, use) => {
    const relay = await Relay.listen("127.0.0.2", ROUND_TRIP / 2);
    await use(relay);
    relay.close();
  },
  server: async ({ relay }, use) => {
    const server = await Server.launch("--quic", `127.0.0.2:${relay.port}`);
    await use(server);
    await server.dispose();
  },
});
test.use({ webtransport: true });
test.setTimeout(120_000);

test("round trips until a page over WebTransport is ready", async ({ browser, server }) => {
  const context = await browser.newContext({ baseURL: `http://localhost:${server.port}` });
  // WebSockets and requests do not go by the slow line, and would win.
  await context.routeWebSocket(/./, (socket) => socket.close({ code: 1001 }));
  await context.route("**/api/desk/collaboration/poll?*", (route) => route.abort());
  await context.addInitScript(() => {
    const Real = WebTransport;
    const times = { began: 0, open: 0, ready: 0 };
    Object.assign(globalThis, {
      times,
      WebTransport: class extends Real {
        constructor(url: string, options?: WebTransportOptions) {
          super(url, options);
          times.began ||= performance.now();
          void this.ready.then(() => (times.open ||= performance.now()));
        }
      },
    });
    const look = (): void => {
      const root = document.documentElement;
      const saved = document.querySelector('[data-status="saved"]') !== null;
      if (root?.dataset["transport"] === "webtransport" && saved) times.ready = performance.now();
      else requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  });
  const first = await Desk.create(await context.newPage());
  await first.add("seen at once");
  await first.expectSaved();
  const link = first.page.url();
  // The relay is one page's.
  await first.page.close();
  const opened: number[] = [];
  const took: number[] = [];
  while (took.length < TIMES) {
    const page = await context.newPage();
    const desk = await Desk.open(page, link);
    await desk.expectTexts("seen at once");
    const times = () => page.evaluate(() => (globalThis as unknown as { times: Times }).times);
    await expect.poll(async () => (await times()).ready).toBeGreaterThan(0);
    const { began, open, ready } = await times();
    expect(began).toBeGreaterThan(0);
    opened.push((open - began) / ROUND_TRIP);
    took.push((ready - began) / ROUND_TRIP);
    await page.close();
  }
  const figures = {
    "round trips until WebTransport is open": sorted(opened),
    "round trips until the page is live over it": sorted(took),
  };
  console.log(JSON.stringify(figures));
  mkdirSync(dirname(OUT), { recursive: true });
  writeFileSync(OUT, JSON.stringify(figures, null, 2));
  await context.close();
});
