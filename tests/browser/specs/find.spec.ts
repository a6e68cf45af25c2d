import { expect, test } from "../fixtures.ts";
import { Desk } from "./desk.ts";

test("notes are found by their words, wherever they lie", async ({ page }) => {
  const ann = await Desk.create(page);
  await ann.add("Cake for Friday", 300, 300);
  await ann.add("Straße", 700, 300);
  await ann.add("another cake", 300, 600);
  await page.keyboard.press("Control+f");
  const field = page.getByRole("textbox", { name: "Find in notes" });
  await expect(field).toBeFocused();
  await page.keyboard.type("CAKE");
  await expect(page.getByRole("search")).toContainText("1 of 2");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("search")).toContainText("2 of 2");
  await page.keyboard.press("Escape");
  await expect(ann.note("another cake")).toBeFocused();
  await page.keyboard.press("Control+f");
  await page.keyboard.type("nowhere");
  await expect(page.getByRole("search")).toContainText("Nothing found");
});

test("what was in sight is in sight after a reload", async ({ page }) => {
  const ann = await Desk.create(page);
  const note = await ann.add("here", 400, 320);
  await ann.expectSaved();
  await page.mouse.move(640, 400);
  await page.keyboard.press("+");
  await page.mouse.move(900, 700);
  await page.mouse.down();
  await page.mouse.move(1000, 600, { steps: 4 });
  await page.mouse.up();
  const before = await ann.box(note);
  await page.reload();
  await ann.expectSaved();
  const after = await ann.box(note);
  expect(Math.round(after.x)).toBe(Math.round(before.x));
  expect(Math.round(after.width)).toBe(Math.round(before.width));
});
