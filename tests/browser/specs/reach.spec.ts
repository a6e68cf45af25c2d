import { expect, test } from "../fixtures.ts";
import { Desk } from "./desk.ts";

test("a drag at the window's edge takes the board along, and its note with it", async ({ page }) => {
  const ann = await Desk.create(page);
  const note = await ann.add("far to go", 400, 320);
  const from = Number((await ann.place(note)).split(",")[0]);
  const box = await ann.box(note);
  await page.mouse.move(box.x + 100, box.y + 100);
  await page.mouse.down();
  await page.mouse.move(1270, box.y + 100, { steps: 5 });
  // The hand stands still from now on.
  await expect.poll(async () => Number((await ann.place(note)).split(",")[0]) - from).toBeGreaterThan(2500);
  await expect(note).toBeInViewport();
  await page.mouse.move(640, 400, { steps: 3 });
  const inside = await ann.place(note);
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  expect(await ann.place(note)).toBe(inside);
  await page.mouse.up();
  await ann.expectSaved();
  await page.keyboard.press("Control+z");
  await expect.poll(async () => Number((await ann.place(note)).split(",")[0])).toBe(from);
});

test("keys make notes wider and higher, as one step each", async ({ page }) => {
  const ann = await Desk.create(page);
  const note = await ann.add("grows");
  await note.click();
  await page.keyboard.press("Control+ArrowRight");
  await page.keyboard.press("Control+Shift+ArrowDown");
  await expect(note).toHaveCSS("width", "210px");
  await expect(note).toHaveCSS("height", "300px");
  await ann.expectSaved();
  await page.keyboard.press("Control+z");
  await expect(note).toHaveCSS("height", "200px");
  await expect(note).toHaveCSS("width", "210px");
});

test("a map shows the whole desk and goes anywhere in it", async ({ page }) => {
  const ann = await Desk.create(page);
  await ann.add("here", 400, 320);
  const far = await ann.add("there", 900, 320);
  await far.click();
  for (let step = 0; step < 40; step++) await page.keyboard.press("Shift+ArrowRight");
  await page.keyboard.press("Escape");
  await page.keyboard.press("Escape");
  await page.keyboard.press("m");
  const map = page.locator(".map canvas");
  await expect(map).toBeVisible();
  await expect(page.getByRole("button", { name: "Map of the desk" })).toHaveAttribute("aria-pressed", "true");
  // The note that came last lies at the right end of the map, the other at the left one.
  await map.click({ position: { x: 14, y: 68 } });
  await expect(ann.note("here")).toBeInViewport();
  await expect(ann.note("there")).not.toBeInViewport();
  await map.click({ position: { x: 194, y: 68 } });
  await expect(ann.note("there")).toBeInViewport();
  await expect(ann.note("here")).not.toBeInViewport();
  // It stays, and goes, with the person.
  await page.reload();
  await expect(map).toBeVisible();
  await page.getByRole("button", { name: "Map of the desk" }).click();
  await expect(map).toHaveCount(0);
});
