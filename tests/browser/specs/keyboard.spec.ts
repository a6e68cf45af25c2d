import { expect, test } from "../fixtures.ts";
import { Desk } from "./desk.ts";

test("the board is one stop of Tab, and arrows go from note to note", async ({ page }) => {
  const ann = await Desk.create(page);
  await ann.add("left", 300, 300);
  await ann.add("right", 700, 300);
  await ann.add("below", 300, 600);
  await ann.expectSaved();
  await ann.button("Share").focus();
  await page.keyboard.press("Tab");
  const first = page.locator("[data-note]:focus");
  await expect(first).toHaveCount(1);
  await page.keyboard.press("Home");
  await expect(ann.note("left")).toBeFocused();
  await expect(ann.note("left")).toHaveAccessibleDescription("1 of 3, butter, top left");
  const place = await ann.place(ann.note("left"));
  await page.keyboard.press("ArrowRight");
  await expect(ann.note("right")).toBeFocused();
  await expect(ann.note("right")).toHaveAccessibleDescription("2 of 3, butter, top right");
  await page.keyboard.press("ArrowLeft");
  await page.keyboard.press("ArrowDown");
  await expect(ann.note("below")).toBeFocused();
  await page.keyboard.press("ArrowUp");
  expect(await ann.place(ann.note("left"))).toBe(place);
  // The next stop is beyond all notes.
  await page.keyboard.press("Tab");
  await expect(page.locator("[data-note]:focus")).toHaveCount(0);
  await page.keyboard.press("Shift+Tab");
  await expect(ann.note("left")).toBeFocused();

  // A selected note moves.
  await page.keyboard.press("Space");
  await page.keyboard.press("ArrowRight");
  expect(await ann.place(ann.note("left"))).not.toBe(place);
  await page.keyboard.press("Escape");
  await expect(ann.note("left")).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(ann.editor).toBeFocused();
  await page.keyboard.press("Escape");
  await page.keyboard.press("Escape");
  await page.keyboard.press("Delete");
  await expect(ann.note("left")).toHaveCount(0);
  // The keys are still the board's.
  await expect(page.getByRole("region", { name: /^Desk\./ })).toBeFocused();
});

test("arrows reach a note that is far out of sight", async ({ page }) => {
  const ann = await Desk.create(page);
  await ann.paste("one\ntwo");
  await expect(ann.notes).toHaveCount(2);
  await page.keyboard.press("Escape");
  await ann.note("two").click();
  for (let step = 0; step < 30; step++) await page.keyboard.press("Shift+ArrowRight");
  await page.keyboard.press("Escape");
  await page.keyboard.press("Escape");
  await page.keyboard.press("0");
  await page.keyboard.press("1");
  await page.keyboard.press("0");
  await ann.note("two").or(ann.note("one")).first().focus();
  await page.keyboard.press("Home");
  await expect(ann.note("one")).toBeFocused();
  await page.keyboard.press("ArrowRight");
  await expect(ann.note("two")).toBeFocused();
  await expect(ann.note("two")).toBeInViewport();
});

test("single letters can be switched off", async ({ page }) => {
  const ann = await Desk.create(page);
  await page.keyboard.press("?");
  await page.getByRole("checkbox", { name: "Single letters" }).uncheck();
  await page.keyboard.press("Escape");
  await page.keyboard.press("n");
  await page.keyboard.press("?");
  await expect(page.getByRole("dialog")).toHaveCount(0);
  await page.reload();
  await ann.expectSaved();
  await page.keyboard.press("n");
  await expect(ann.notes).toHaveCount(0);
  await ann.button("Keys and gestures").click();
  await page.getByRole("checkbox", { name: "Single letters" }).check();
  await page.keyboard.press("Escape");
  await page.locator(".board").focus();
  await page.keyboard.press("n");
  await expect(ann.editor).toBeFocused();
});

test("the colour for new notes is chosen by name", async ({ page }) => {
  const ann = await Desk.create(page);
  await ann.button("Colour for new notes: butter").click();
  await page.getByRole("group", { name: "Colours for new notes" }).getByRole("button", { name: "Colour: sky" }).click();
  await expect(ann.button("Colour for new notes: sky")).toBeFocused();
  const note = await ann.add("blue");
  await expect(note).toHaveCSS("background-color", "rgb(169, 216, 255)");
});

test("nothing offers to undo what was restored already", async ({ page }) => {
  const ann = await Desk.create(page);
  await (await ann.add("back soon")).click();
  await page.keyboard.press("Delete");
  await expect(page.getByText("Note deleted")).toBeVisible();
  await ann.button("Bin").click();
  await ann.button("Restore").click();
  await expect(ann.note("back soon")).toBeVisible();
  await expect(page.getByText("Note deleted")).toHaveCount(0);
});

test("at 400 % zoom one bar leaves room for the selected note", async ({ page }) => {
  const ann = await Desk.create(page);
  const note = await ann.add("small window", 400, 300);
  await page.setViewportSize({ width: 320, height: 256 });
  await ann.button("Show all notes").click();
  await note.click();
  await expect(page.getByRole("toolbar")).toHaveCount(1);
  for (const name of ["Colour: butter", "Colour: white", "Delete"]) {
    await expect(ann.button(name)).toBeInViewport({ ratio: 0.9 });
  }
});

test("high contrast shows notes, bars and papers", async ({ page }) => {
  await page.emulateMedia({ forcedColors: "active" });
  const ann = await Desk.create(page);
  const note = await ann.add("seen");
  await expect(note).toHaveCSS("border-top-style", "solid");
  await note.click();
  await expect(note).toHaveCSS("outline-style", "solid");
  await expect(page.getByRole("toolbar", { name: "Tools" })).toHaveCSS("border-top-style", "solid");
  await expect(ann.button("Colour for new notes: butter")).toBeVisible();
});

test.describe("on a phone", () => {
  test.use({ viewport: { width: 390, height: 780 }, hasTouch: true, isMobile: true });

  test("gestures are told, and the keyboard never hides the note", async ({ page }) => {
    const ann = await Desk.create(page);
    await ann.button("Keys and gestures").tap();
    await expect(page.getByRole("dialog")).toContainText("Double-tap the desk");
    await page.getByRole("dialog").getByRole("button", { name: "Close" }).tap();
    await ann.button("Add a note").tap();
    await page.keyboard.insertText("seen");
    // The keyboard comes.
    await page.setViewportSize({ width: 390, height: 400 });
    await expect
      .poll(async () => {
        const box = await ann.box(ann.editor);
        return box.y >= 0 && box.y + box.height <= 400;
      })
      .toBe(true);
    const bars = page.locator(".tools, .zoom").filter({ visible: true });
    const note = await ann.box(ann.editor);
    for (const bar of await bars.all()) {
      const { y } = await ann.box(bar);
      expect(y).toBeGreaterThanOrEqual(note.y + note.height - 1);
    }
  });
});
