import { expect, test } from "../fixtures.ts";
import { Desk } from "./desk.ts";

test("a locked note stays as it is until it is unlocked", async ({ person }) => {
  const ann = await Desk.create(await person());
  const bob = await ann.join(await person());
  const { keyboard } = ann.page;
  await ann.add("rules", 400, 320);
  await ann.add("free", 760, 320);
  await bob.expectTexts("rules", "free");
  await ann.note("rules").click();
  await ann.button("Lock").click();
  const locked = bob.page.locator('[aria-roledescription="locked note"]');
  await expect(locked).toHaveCount(1);

  // Others' hands keep off it, and read how to unlock.
  const at = await bob.place(bob.note("rules"));
  await bob.drag(bob.note("rules"), 90, 60);
  await expect(bob.page.getByText("This note is locked.")).toBeVisible();
  expect(await bob.place(bob.note("rules"))).toBe(at);
  await bob.note("rules").click();
  await bob.page.keyboard.press("ArrowRight");
  await bob.page.keyboard.press("Delete");
  await bob.page.keyboard.press("Enter");
  await bob.page.keyboard.press("Control+ArrowRight");
  await expect(bob.editor).toHaveCount(0);
  await expect(bob.button("Delete")).toHaveCount(0);
  await bob.leave();
  // Of several notes those that are free go.
  await bob.page.keyboard.press("Control+a");
  await bob.page.keyboard.press("Delete");
  await ann.expectTexts("rules");
  expect(await ann.place(ann.note("rules"))).toBe(at);

  // Undo of the lock is undo, and the button of the message unlocks, too.
  await keyboard.press("Control+z");
  await expect(locked).toHaveCount(0);
  await keyboard.press("Control+Shift+z");
  await expect(locked).toHaveCount(1);
  await bob.note("rules").click();
  await bob.page.keyboard.press("Enter");
  await bob.button("Unlock").last().click();
  await expect(locked).toHaveCount(0);
  await bob.drag(bob.note("rules"), 90, 60);
  await expect.poll(() => ann.place(ann.note("rules"))).not.toBe(at);
});

test("what was written for a note before its lock was seen arrives", async ({ person }) => {
  const ann = await Desk.create(await person());
  await ann.add("draft", 400, 320);
  const bob = await ann.join(await person());
  await bob.expectTexts("draft");
  await bob.write("draft");
  await ann.note("draft").click();
  await ann.page.keyboard.press("l");
  await expect(ann.page.locator('[aria-roledescription="locked note"]')).toHaveCount(1);
  await bob.page.keyboard.press("End");
  await bob.page.keyboard.type(", done");
  await bob.leave();
  await ann.expectTexts("draft, done");
});

test.describe("with a finger", () => {
  test.use({ hasTouch: true, isMobile: true, viewport: { width: 390, height: 780 } });

  test("a note is locked and unlocked", async ({ page }) => {
    const desk = await Desk.create(page);
    await desk.button("Add a note").tap();
    await page.keyboard.insertText("mine");
    await desk.leave();
    await desk.note("mine").tap();
    await desk.button("Lock").tap();
    await expect(page.locator('[aria-roledescription="locked note"]')).toHaveCount(1);
    await desk.button("Unlock").tap();
    await expect(page.locator('[aria-roledescription="note"]')).toHaveCount(1);
  });
});
