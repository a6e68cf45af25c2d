import AxeBuilder from "@axe-core/playwright";
import type { Page } from "@playwright/test";
import { expect, test } from "../fixtures.ts";
import { Desk } from "./desk.ts";

/** WCAG 2.0 to 2.2, levels A and AA, and what axe calls good practice. */
const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice"];

/** Nothing is found on the page as it is now; `state` names it when something is. */
async function clean(page: Page, state: string): Promise<void> {
  // A colour on its way to another one has a contrast of its own.
  await page.evaluate(() =>
    Promise.all(document.getAnimations().map((animation) => animation.finished.catch(() => undefined))),
  );
  const { violations } = await new AxeBuilder({ page }).withTags(TAGS).analyze();
  const found = violations.map(({ id, help, nodes }) => ({ id, help, at: nodes.map((node) => node.html) }));
  expect.soft(found, state).toEqual([]);
}

/** Walks through what a person meets on a desk. */
async function walk(page: Page): Promise<void> {
  test.setTimeout(180_000);
  await page.goto("/");
  await clean(page, "the start page");
  const ann = await Desk.create(page);
  await clean(page, "an empty desk");
  await ann.add("a plain note", 200, 250);
  const other = await ann.add("another https://example.org", 200, 520);
  await ann.expectSaved();
  await clean(page, "notes");
  await other.click();
  await clean(page, "a selected note");
  await page.keyboard.press("l");
  await expect(ann.button("Unlock")).toBeVisible();
  await clean(page, "a locked note");
  await page.keyboard.press("l");
  await ann.write("a plain note");
  await clean(page, "a note that is written");
  await ann.leave();
  await page.keyboard.press("Control+a");
  await clean(page, "several selected notes");
  await ann.leave();
  await other.click();
  await page.keyboard.press("Delete");
  await expect(page.getByText("Note deleted")).toBeVisible();
  await clean(page, "a deleted note");
  await ann.button("Bin").click();
  await clean(page, "the bin");
  await page.keyboard.press("Escape");
  for (const button of ["Share", "Import and export", "Keys and gestures", "Your name and colour"]) {
    await ann.button(button).click();
    await expect(page.getByRole("dialog")).toBeVisible();
    await clean(page, button);
    await page.keyboard.press("Escape");
    await expect(page.getByRole("dialog")).toHaveCount(0);
  }
  await page.locator(".board").focus();
  await page.keyboard.press("Control+f");
  await page.keyboard.insertText("plain");
  await clean(page, "the search");
  await page.keyboard.press("Escape");
  await page.goto(`/d/${"0".repeat(26)}`);
  await expect(page.getByRole("heading")).toBeVisible();
  await clean(page, "a desk that is not there");
}

for (const colorScheme of ["light", "dark"] as const) {
  test.describe(`in the ${colorScheme} theme`, () => {
    test.use({ colorScheme });

    test("axe finds nothing in any state", async ({ page }) => walk(page));
  });
}

test.describe("on a phone", () => {
  test.use({ viewport: { width: 390, height: 780 }, hasTouch: true, isMobile: true });

  test("axe finds nothing in any state", async ({ page }) => walk(page));
});

test("axe finds nothing for those who only look, and after the end", async ({ person }) => {
  test.setTimeout(180_000);
  const ann = await Desk.create(await person());
  await ann.add("seen by all");
  await ann.expectSaved();
  const viewer = await Desk.open(await person(), await ann.link("Can only view"));
  await viewer.expectTexts("seen by all");
  await clean(viewer.page, "a viewer's desk");
  await clean(ann.page, "a desk with somebody else");
  await ann.button("Share").click();
  await ann.button("Delete the desk").click();
  await clean(ann.page, "a question");
  await ann.button("Delete for everyone").click();
  await expect(viewer.page.getByRole("heading", { name: "This desk was deleted" })).toBeVisible();
  await clean(viewer.page, "a deleted desk");
});
