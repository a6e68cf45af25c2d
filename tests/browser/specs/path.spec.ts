import { expect, test as base } from "../fixtures.ts";
import { Proxy } from "../proxy.ts";
import { Server } from "../server.ts";
import { Desk } from "./desk.ts";

const test = base.extend<{ wire: Proxy; home: string }>({
  wire: async ({}, use) => {
    const wire = await Proxy.listen();
    await use(wire);
    await wire.close();
  },
  /** Where people see the server: below a path. */
  home: async ({ wire }, use) => use(`${wire.url}/team/desk/`),
  server: async ({ wire, home }, use) => {
    const server = await Server.launch("--public-url", home);
    wire.to(server.port);
    await use(server);
    await server.dispose();
  },
});

for (const webtransport of [true, false]) {
  test.describe(webtransport ? "over WebTransport" : "over WebSocket", () => {
    test.use({ webtransport });

    test("a page below a path works as anywhere", async ({ page, person, home }) => {
      await page.goto(home);
      await page.getByRole("button", { name: "New desk" }).click();
      await page.waitForURL(/\/team\/desk\/d\/[0-9A-Z]{26}$/);
      const ada = new Desk(page);
      await ada.expectSaved();
      const carrier = webtransport ? "webtransport" : "websocket";
      await expect(page.locator("html")).toHaveAttribute("data-transport", carrier);
      const link = await ada.link("Can edit");
      expect(link.startsWith(`${home}d/`)).toBe(true);
      const guest = await person();
      await guest.goto(link);
      const bob = new Desk(guest);
      await bob.expectSaved();
      await ada.add("from ada", 300, 300);
      await bob.add("from bob", 600, 300);
      await ada.expectTexts("from ada", "from bob");
      await page.reload();
      await ada.expectTexts("from ada", "from bob");
      // Home, and back by the list of desks.
      await page.locator("a.button.icon").first().click();
      await page.waitForURL(home);
      await page.locator(`a[href$="${new URL(link).pathname.split("/").at(-1)}"]`).click();
      await page.waitForURL(/\/team\/desk\/d\//);
      await ada.expectTexts("from ada", "from bob");
    });
  });
}
