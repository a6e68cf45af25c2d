import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "@playwright/test";
import { expect, test as base, withoutWebTransport } from "../fixtures.ts";
import { Proxy } from "../proxy.ts";
import { Server } from "../server.ts";
import { Cable, Desk } from "./desk.ts";

/** The time by which people see that a line is dead, and some for a busy machine. */
const NOTICED_MS = 5_000 + 2_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

interface Fixtures {
  /** A line to the server that can be made bad. */
  wire: Proxy;
  /** Opens a page of another person that reaches the server through the proxy. */
  guest: () => Promise<Page>;
}

const test = base.extend<Fixtures>({
  wire: async ({}, use) => {
    const wire = await Proxy.listen();
    await use(wire);
    await wire.close();
  },
  server: async ({ flags, wire }, use) => {
    const server = await Server.launch("--public-url", wire.url, ...flags);
    wire.to(server.port);
    await use(server);
    await server.dispose();
  },
  guest: async ({ browser, wire, server }, use) => {
    void server;
    const pages: Page[] = [];
    await use(async () => {
      const page = await open(browser, wire.url);
      pages.push(page);
      return page;
    });
    await Promise.all(pages.map((page) => page.context().close()));
  },
});

async function open(browser: Browser, baseURL: string): Promise<Page> {
  const context = await browser.newContext({ baseURL });
  await withoutWebTransport(context);
  return context.newPage();
}

/** A file of limits for `--config`; removed with the test. */
async function limits(toml: string): Promise<{ flags: string[]; remove: () => Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), "sticker-desk-limits-"));
  const file = join(folder, "limits.toml");
  await writeFile(file, `[limits]\n${toml}\n`);
  return {
    flags: ["--config", file],
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

/** Sets the device's clock by so much, now and after each reload. */
async function setClock(page: Page, shift: number): Promise<void> {
  const set = (by: number): void => {
    const True = Date;
    globalThis.Date = class extends True {
      constructor(...values: []) {
        if (values.length === 0) super(True.now() + by);
        else super(...values);
      }

      static override now(): number {
        return True.now() + by;
      }
    } as DateConstructor;
  };
  await page.addInitScript(set, shift);
  await page.evaluate(set, shift);
}

/** A page that cannot look at its first connection for a while: it renders, say. */
async function makeSlow(page: Page, milliseconds: number): Promise<void> {
  await page.addInitScript((busy: number) => {
    let first = true;
    globalThis.WebSocket = class extends WebSocket {
      constructor(address: string | URL, protocols?: string | string[]) {
        super(address, protocols);
        if (!first) return;
        first = false;
        const end = performance.now() + busy;
        while (performance.now() < end);
      }
    };
  }, milliseconds);
}

test("a page that is too slow for its hello comes back by itself", async ({ browser }) => {
  const { flags, remove } = await limits('hello-time = "500ms"');
  const server = await Server.launch(...flags);
  const page = await open(browser, server.url);
  await makeSlow(page, 2_000);
  let sockets = 0;
  page.on("websocket", () => sockets++);
  await page.goto("/");
  await page.getByRole("button", { name: "New desk" }).click();
  const desk = new Desk(page);
  await desk.expectSaved();
  expect(sockets, "the server had given the first one up").toBe(2);
  await expect(page.locator("[data-ended]")).toHaveCount(0);
  await desk.add("it goes on");
  await desk.expectSaved();
  await page.context().close();
  await server.dispose();
  await remove();
});

test("a full desk says so, and lets in whoever waits", async ({ browser }) => {
  const { flags, remove } = await limits("connections-per-desk = 1");
  const server = await Server.launch(...flags);
  const ann = await open(browser, server.url);
  await ann.goto("/");
  await ann.getByRole("button", { name: "New desk" }).click();
  await new Desk(ann).expectSaved();
  const bob = await open(browser, server.url);
  await bob.goto(ann.url());
  const waiting = new Desk(bob);
  await expect(waiting.status).toContainText("This desk is full");
  await ann.context().close();
  await waiting.expectSaved();
  await bob.context().close();
  await server.dispose();
  await remove();
});

test("hello goes out before the notes are drawn", async ({ person }) => {
  const ann = await Desk.create(await person());
  await ann.add("a note");
  await ann.expectSaved();
  const page = await person();
  await page.addInitScript(() => {
    const order: string[] = [];
    Object.assign(globalThis, { order });
    const send = WebSocket.prototype.send;
    WebSocket.prototype.send = function (data) {
      order.push("sent");
      send.call(this, data);
    };
    new MutationObserver(() => {
      if (document.querySelector("[data-note]") !== null) order.push("drawn");
    }).observe(document, { childList: true, subtree: true });
  });
  const bob = await ann.join(page);
  await bob.expectTexts("a note");
  const order = await page.evaluate(() => (globalThis as unknown as { order: string[] }).order);
  expect(order.filter((what, at) => order.indexOf(what) === at)).toEqual(["sent", "drawn"]);
});

test("connections that are taken and never answered are given up", async ({ guest, wire }) => {
  const desk = await Desk.create(await guest());
  wire.hang(true);
  wire.cut();
  await expect(desk.status).toHaveAttribute("data-status", "offline");
  // The attempt hangs for some seconds, and then the page says what it found.
  await expect(desk.status).toContainText("The server does not answer", { timeout: 15_000 });
  wire.hang(false);
  // The second attempt may hang already, and is given twice the time of the first.
  await expect(desk.status).toHaveAttribute("data-status", "saved", { timeout: 20_000 });
});

test("“Try now” does not wait for an attempt that hangs", async ({ guest, wire }) => {
  const page = await guest();
  const desk = await Desk.create(page);
  const attempts: number[] = [];
  page.on("websocket", () => attempts.push(performance.now()));
  wire.hang(true);
  wire.cut();
  await expect.poll(() => attempts.length, { timeout: 10_000 }).toBeGreaterThan(0);
  await expect(desk.status).toHaveAttribute("data-status", "offline");
  wire.hang(false);
  const before = attempts.length;
  await desk.button("Try now").click();
  await expect.poll(() => attempts.length).toBeGreaterThan(before);
  // An attempt that hangs is given up after 5 s; this one was not waited for.
  expect(attempts[before]! - attempts[before - 1]!).toBeLessThan(4_500);
  await desk.expectSaved();
});

test("a desk opens when its server answers again", async ({ guest, wire, person }) => {
  const ann = await Desk.create(await person());
  const page = await guest();
  await page.goto("/");
  await page.route("**/api/desk/init", (route) => {
    // The page is there, and its first request is taken and not answered.
    wire.hang(true);
    wire.cut();
    return route.continue();
  }, { times: 1 });
  await page.goto(new URL(ann.page.url()).pathname);
  await expect(page.getByRole("heading", { name: "The desk can’t be reached" })).toBeVisible({
    timeout: 20_000,
  });
  wire.hang(false);
  await page.evaluate(() => window.dispatchEvent(new Event("online")));
  await new Desk(page).expectSaved();
});

test("a clock that is set back by an hour stops nothing", async ({ person }) => {
  const page = await person();
  const cable = await Cable.of(page);
  const desk = await Desk.create(page);
  await setClock(page, -HOUR_MS);
  await cable.cut();
  await expect(desk.status).toHaveAttribute("data-status", "offline");
  cable.repair();
  await desk.expectSaved();
  await desk.add("and on");
  await desk.expectSaved();
});

test("a clock that is eight days ahead forgets nothing", async ({ person }) => {
  const page = await person();
  await page.goto("/");
  await setClock(page, 8 * DAY_MS);
  const desk = await Desk.create(page);
  await expect(page.getByText(/days? \d+ h left|days left/)).toBeVisible();
  await desk.add("kept");
  await desk.expectSaved();
  for (let reload = 0; reload < 3; reload++) {
    await page.reload();
    await desk.expectTexts("kept");
    await desk.expectSaved();
  }
  await desk.button("Share").click();
  await expect(desk.button("Finish the session")).toBeVisible();
  await expect(page.getByRole("dialog").getByText("Can edit")).toBeVisible();
  await expect(page.getByRole("textbox", { name: "Can edit" })).toHaveValue(page.url());
  await page.goto("/");
  await expect(page.getByRole("heading", { name: "Recent desks" })).toBeVisible();
  await expect(page.getByText(/yours · 6 days/)).toBeVisible();
});

test("a dead line is noticed on both sides", async ({ guest, person, wire }) => {
  const page = await guest();
  const ann = await Desk.create(page);
  const bob = await ann.join(await person());
  const others = bob.page.locator("li.other");
  await page.mouse.move(500, 400);
  await expect(others).toHaveCount(1);
  await ann.expectSaved();
  await bob.expectSaved();

  wire.hang(true);
  wire.freeze();
  const timeout = NOTICED_MS;
  await Promise.all([
    expect(ann.status).toHaveAttribute("data-status", "offline", { timeout }),
    expect(others).toHaveCount(0, { timeout }),
  ]);
  wire.hang(false);
  await ann.button("Try now").click();
  await ann.expectSaved();
  await expect(others).toHaveCount(1);
});

test("the browser's word that the line is gone is checked", async ({ guest, wire }) => {
  const page = await guest();
  const desk = await Desk.create(page);
  const say = (what: string) => page.evaluate((what) => window.dispatchEvent(new Event(what)), what);
  await say("offline");
  await desk.add("the server answers");
  await desk.expectSaved();
  wire.hang(true);
  wire.freeze();
  await say("offline");
  await expect(desk.status).toHaveAttribute("data-status", "offline", { timeout: NOTICED_MS });
});

test("a replaced link says what happened, and offers what was not sent", async ({
  person,
  request,
  server,
}) => {
  const ann = await Desk.create(await person());
  const page = await person();
  const cable = await Cable.of(page);
  const bob = await ann.join(page);
  await cable.cut();
  await expect(bob.status).toHaveAttribute("data-status", "offline");
  await bob.add("not sent");
  await expect(bob.status).toContainText("waiting");

  const owner = await ann.page.evaluate(() => {
    const desks = JSON.parse(localStorage.getItem("sticker-desk.recent") ?? "[]") as { owner: string }[];
    return desks[0]!.owner;
  });
  const joined = await request.post(`${server.url}/api/desk/init`, {
    data: { name: owner, create_new: false, desk: false },
  });
  const { session_key } = (await joined.json()) as { session_key: string };
  const rotated = await request.post(`${server.url}/api/desk/${owner}/links`, {
    data: { role: "editor", rotate: true },
    headers: { "WebSocket-Session-Key": session_key },
  });
  expect(rotated.ok()).toBe(true);

  await cable.mend(page);
  await expect(page.getByRole("region", { name: "This link was replaced" })).toBeVisible();
  await expect(bob.button("Rejoin")).toHaveCount(0);
  await expect(bob.button("Copy what was not sent")).toBeVisible();
  await page.reload();
  await expect(page.getByRole("region", { name: "This link was replaced" })).toBeVisible();
  const stranger = await person();
  await stranger.goto(new URL(page.url()).pathname);
  await expect(stranger.getByRole("heading", { name: "This link was replaced" })).toBeVisible();
});

test("a server that restarts is called that", async ({ person, server }) => {
  const desk = await Desk.create(await person());
  const told: string[] = [];
  await desk.page.exposeFunction("tell", (words: string) => told.push(words));
  await desk.status.evaluate((pill) => {
    const { tell } = globalThis as unknown as { tell: (words: string) => void };
    new MutationObserver(() => tell(pill.textContent ?? "")).observe(pill, {
      childList: true,
      characterData: true,
      subtree: true,
    });
  });
  await server.stop();
  await expect.poll(() => told.join("\n")).toContain("The server is restarting");
  await server.start();
  await desk.expectSaved();
});
