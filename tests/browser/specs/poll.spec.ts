import { type Browser, type Page } from "@playwright/test";
import { expect, test as base, withoutWebTransport } from "../fixtures.ts";
import { Proxy } from "../proxy.ts";
import { Server } from "../server.ts";
import { Typist } from "../typist.ts";
import { Desk } from "./desk.ts";

/** Within so many milliseconds a page has found that only plain requests pass. */
const SECONDS_MS = 8_000;
/** Within so many milliseconds others see that a page has left. */
const GONE_MS = 2_000;

const test = base.extend<{ wire: Proxy; behind: () => Promise<Page> }>({
  /** A proxy on the way to the server. */
  wire: async ({}, use) => {
    const wire = await Proxy.listen();
    await use(wire);
    await wire.close();
  },
  server: async ({ flags, wire }, use) => {
    const server = await Server.launch(...flags);
    wire.to(server.port);
    await use(server);
    await server.dispose();
  },
  /** Opens a page of another person, to whom the proxy is the only way. */
  behind: async ({ browser, wire, server }, use) => {
    void server;
    const pages: Page[] = [];
    await use(async () => {
      pages.push(await open(browser, wire.url));
      return pages.at(-1)!;
    });
    await Promise.all(pages.map((page) => page.context().close()));
  },
});

test.use({ webtransport: true });

async function open(browser: Browser, baseURL: string): Promise<Page> {
  const context = await browser.newContext({ baseURL });
  // No datagram passes such a proxy either.
  await withoutWebTransport(context);
  return context.newPage();
}

async function expectCarrier(page: Page, carrier: string): Promise<void> {
  await expect(page.locator("html")).toHaveAttribute("data-transport", carrier, { timeout: SECONDS_MS });
}

for (const how of ["refuse", "swallow"] as const) {
  test(`a page works where upgrades are held: ${how}`, async ({ behind, person, wire }) => {
    const ann = await Desk.create(await person());
    wire.upgrades(how);
    const page = await behind();
    const bob = await ann.join(page);
    await expectCarrier(page, "poll");
    await expect(page.locator("html")).toHaveAttribute("data-transport-why", /WebSocket is not used/);
    await expect(bob.status).toHaveAttribute("title", /Over plain requests/);
    await ann.add("from ann", 300, 300);
    await bob.add("from bob", 600, 300);
    for (const desk of [ann, bob]) await desk.expectTexts("from ann", "from bob");
    await bob.expectSaved();
    // Each sees the other's pointer come and go.
    await page.mouse.move(500, 400);
    await expect(ann.page.locator("li.other")).toHaveCount(1);
    await expect(page.locator("li.other")).toHaveCount(1);
    await page.goto("about:blank");
    await expect(ann.page.locator("li.other")).toHaveCount(0, { timeout: GONE_MS });
  });
}

test("a page goes back to a WebSocket once one passes", async ({ behind, wire }) => {
  wire.upgrades("refuse");
  const page = await behind();
  const desk = await Desk.create(page);
  await expectCarrier(page, "poll");
  await desk.add("over requests", 300, 300);
  wire.upgrades("pass");
  await expect(page.locator("html")).toHaveAttribute("data-transport", "websocket", { timeout: 20_000 });
  await desk.add("over WebSocket", 600, 300);
  await desk.expectSaved();
  await desk.expectTexts("over requests", "over WebSocket");
});

test("a page over requests finds a killed server again", async ({ behind, server, wire }) => {
  wire.upgrades("refuse");
  const page = await behind();
  const desk = await Desk.create(page);
  await expectCarrier(page, "poll");
  await desk.add("before", 300, 300);
  await desk.expectSaved();
  await server.kill9();
  await desk.add("meanwhile", 600, 300);
  await server.start();
  await desk.add("after", 300, 560);
  await desk.expectSaved();
  await page.reload();
  await desk.expectTexts("after", "before", "meanwhile");
});

test("one desk over every transport at once", async ({ page, person, behind, wire, server }) => {
  wire.upgrades("refuse");
  const ada = await Desk.create(page);
  await expectCarrier(page, "webtransport");
  const without = await person();
  await withoutWebTransport(without.context());
  const bob = await ada.join(without);
  await expectCarrier(without, "websocket");
  const held = await behind();
  const eve = await ada.join(held);
  await expectCarrier(held, "poll");
  const link = new URL(new URL(page.url()).pathname, server.url).href;
  const [quic, overQuic] = await Typist.join(link, "quic");
  const [socket, overSocket] = await Typist.join(link, "websocket");
  expect([overQuic, overSocket]).toEqual(["over QUIC", "over WebSocket"]);

  // All write at once, three of them into one note.
  await ada.add("shared", 640, 400);
  const words = new Map([[ada, " one"], [bob, " two"], [eve, " three"]]);
  for (const desk of words.keys()) {
    await desk.write("shared");
    await desk.page.keyboard.press("End");
  }
  await Promise.all([
    quic.add("from QUIC"),
    socket.add("from WebSocket"),
    ...[...words].map(([desk, typed]) => desk.page.keyboard.type(typed, { delay: 20 })),
  ]);
  for (const desk of words.keys()) {
    await desk.leave();
    await desk.expectSaved();
  }
  const seen = async (): Promise<string> => (await quic.texts()).join("\n");
  for (const word of words.values()) await expect.poll(seen).toContain(word);
  await expect.poll(seen).toContain("from WebSocket");
  const texts = await quic.texts();
  expect(texts).toHaveLength(3);
  for (const desk of words.keys()) await desk.expectTexts(...texts);
  await expect.poll(() => socket.texts()).toEqual(texts);
  quic.leave();
  socket.leave();
});
