import { type Page } from "@playwright/test";
import { expect, test, withoutWebTransport } from "../fixtures.ts";
import { Desk } from "./desk.ts";

// A page may choose: most other tests hold it to WebSocket, whose line they can cut.
test.use({ webtransport: true });

/** What carries a page's line. */
async function expectCarrier(page: Page, carrier: string): Promise<void> {
  await expect(page.locator("html")).toHaveAttribute("data-transport", carrier);
}

test("people over WebTransport and over WebSocket share a desk", async ({ page, person }) => {
  const ada = await Desk.create(page);
  await expectCarrier(ada.page, "webtransport");
  const guest = await person();
  await withoutWebTransport(guest.context());
  const bob = await ada.join(guest);
  await expectCarrier(bob.page, "websocket");
  const eve = await ada.join(await person());
  await expectCarrier(eve.page, "webtransport");
  await ada.add("from ada", 300, 300);
  await bob.add("from bob", 600, 300);
  await eve.add("from eve", 300, 500);
  for (const desk of [ada, bob, eve]) {
    await desk.expectTexts("from ada", "from bob", "from eve");
    await desk.expectSaved();
  }
});

test("a page over WebTransport finds a killed server again", async ({ page, server }) => {
  const desk = await Desk.create(page);
  await expectCarrier(page, "webtransport");
  await desk.add("before");
  await desk.expectSaved();
  await server.kill9();
  await server.start();
  await desk.add("after", 700, 320);
  await desk.expectSaved();
  await expectCarrier(page, "webtransport");
});

test("a page that leaves is gone for the others at once", async ({ page, person }) => {
  const ada = await Desk.create(page);
  const guest = await person();
  await ada.join(guest);
  await expectCarrier(guest, "webtransport");
  const others = ada.page.getByRole("list", { name: "Who is here" }).getByRole("listitem");
  // Oneself is among them.
  await expect(others).toHaveCount(2);
  await guest.goto("about:blank");
  await expect(others).toHaveCount(1, { timeout: 2_000 });
});
