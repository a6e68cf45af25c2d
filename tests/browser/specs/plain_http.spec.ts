import { type Page } from "@playwright/test";
import { expect, test } from "../fixtures.ts";
import { Desk } from "./desk.ts";

/** Takes away what browsers give to secure origins only, as on a LAN over http. */
async function insecure(page: Page): Promise<void> {
  await page.addInitScript(() => {
    const { clipboard } = navigator;
    Object.assign(window, { readClipboard: () => clipboard.readText() });
    for (const name of ["locks", "clipboard", "serviceWorker"]) {
      Object.defineProperty(navigator, name, { value: undefined });
    }
    Object.defineProperty(crypto, "randomUUID", { value: undefined });
  });
}

test("a desk works over plain http, each tab a client of its own", async ({ person }) => {
  const page = await person();
  await insecure(page);
  const first = await Desk.create(page);
  await first.add("first", 300, 320);
  await first.expectSaved();
  const other = await page.context().newPage();
  await insecure(other);
  const second = await first.join(other);
  await second.add("second", 1050, 320);
  await first.expectTexts("first", "second");

  await page.reload();
  await first.expectTexts("first", "second");
  await first.expectSaved();
  // Had the two become one client, one would have been shown out by now.
  await first.add("third", 200, 620);
  await second.expectTexts("first", "second", "third");
  await second.expectSaved();
  await expect(first.button("Go on here")).toHaveCount(0);
});

test("the link is copied without the browser's clipboard interface", async ({ person }) => {
  const page = await person();
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await insecure(page);
  const desk = await Desk.create(page);
  await desk.button("Share").click();
  const link = await page.getByRole("textbox", { name: "Can edit" }).inputValue();
  await page.getByRole("button", { name: "Copy link" }).first().click();
  await expect(page.getByText("Copied")).toBeVisible();
  expect(await page.evaluate("readClipboard()")).toBe(link);
});
