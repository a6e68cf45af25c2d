import { expect, test as base } from "../fixtures.ts";
import { Relay } from "../relay.ts";
import { Server } from "../server.ts";
import { Desk } from "./desk.ts";

/** How often the page's way to the server changes. */
const MOVES = 5;

const test = base.extend<{ relay: Relay }>({
  relay: async ({}, use) => {
    const relay = await Relay.listen("127.0.0.2");
    await use(relay);
    relay.close();
  },
  // Whoever opens the page at localhost is told 127.0.0.1, where the relay is.
  server: async ({ relay }, use) => {
    const server = await Server.launch("--quic", `127.0.0.2:${relay.port}`);
    await use(server);
    await server.dispose();
  },
});

test.use({ webtransport: true });

/** A figure of the server's. */
async function metric(server: Server, name: string): Promise<number> {
  const text = await (await fetch(`${server.url}/metrics`)).text();
  const lines = text.split("\n").filter((line) => line.startsWith(name));
  return lines.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
}

test("carry 6: a page over WebTransport goes on from another address", async ({ browser, server, relay }) => {
  const context = await browser.newContext({ baseURL: `http://localhost:${server.port}` });
  const page = await context.newPage();
  const desk = await Desk.create(page);
  await expect(page.locator("html")).toHaveAttribute("data-transport", "webtransport");
  const texts: string[] = [];
  for (let move = 0; move < MOVES; move++) {
    // Each note is on its way when the address changes.
    texts.push(`note ${move}`);
    await desk.add(`note ${move}`, 200 + 120 * move, 320);
    await relay.move();
    await desk.expectSaved();
    await expect.poll(() => relay.carried.at(-1)).toBeGreaterThan(0);
  }
  await desk.expectTexts(...texts);
  await expect(page.locator("html")).toHaveAttribute("data-transport", "webtransport");
  expect(await metric(server, "sticker_desk_quic_accepted_total")).toBe(1);
  expect(await metric(server, "sticker_desk_quic_misrouted_total")).toBe(0);
  await context.close();
});
