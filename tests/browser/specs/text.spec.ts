import { expect, test } from "../fixtures.ts";
import { Desk } from "./desk.ts";

test("the field shows what is stored, through undo, redo and another's hands", async ({ person }) => {
  const ann = await Desk.create(await person());
  const bob = await ann.join(await person());
  const { keyboard } = ann.page;
  // Another's, since words of her own would be one step with what follows within a second.
  await bob.add("note");
  await ann.write("note");
  await keyboard.press("Control+End");
  await keyboard.type(" hello");
  await keyboard.press("Control+z");
  await expect(ann.editor).toHaveValue("note");
  await expect(bob.note("note")).toBeVisible();
  await keyboard.type("!!");
  await expect(ann.editor).toHaveValue("note!!");
  await keyboard.press("Control+z");
  await keyboard.press("Control+Shift+z");
  await expect(ann.editor).toHaveValue("note!!");

  // The letter decides, not the key's place: Ctrl Y of a German keyboard lies where Z is.
  await ann.editor.dispatchEvent("keydown", { key: "z", code: "KeyY", ctrlKey: true });
  await expect(ann.editor).toHaveValue("note");
  await ann.editor.dispatchEvent("keydown", { key: "y", code: "KeyZ", ctrlKey: true });
  await expect(ann.editor).toHaveValue("note!!");
  await expect(bob.note("note!!")).toBeVisible();

  // While an input method composes, its keys are its own, and the text under it stays.
  const session = await ann.page.context().newCDPSession(ann.page);
  await keyboard.press("Control+End");
  await session.send("Input.imeSetComposition", { text: "に", selectionStart: 1, selectionEnd: 1 });
  await ann.editor.dispatchEvent("keydown", { key: "Escape", isComposing: true });
  await expect(ann.editor).toBeFocused();
  await bob.write("note!!");
  await bob.page.keyboard.press("Control+Home");
  await bob.page.keyboard.type("A ");
  await session.send("Input.insertText", { text: "日本" });
  await expect(ann.editor).toHaveValue("A note!!日本");
  await expect(bob.editor).toHaveValue("A note!!日本");

  // Each sees where the other writes, and who it is.
  await expect(ann.page.locator(".carets i")).toHaveCount(1);
  await expect(bob.page.locator(".carets i")).toHaveCount(1);
  await expect(ann.page.getByText("is writing")).toBeVisible();
  const caret = await ann.box(ann.page.locator(".carets i"));
  const field = await ann.box(ann.editor);
  await bob.page.keyboard.press("Control+End");
  await expect
    .poll(async () => (await ann.box(ann.page.locator(".carets i"))).x)
    .toBeGreaterThan(caret.x + 20);
  expect(caret.x).toBeGreaterThan(field.x);
});

test("a note that is deleted under the hands says so, and letters are no commands", async ({
  person,
}) => {
  const ann = await Desk.create(await person());
  const bob = await ann.join(await person());
  await ann.add("mine", 300, 300);
  await ann.add("other", 700, 300);
  await bob.expectTexts("mine", "other");
  await ann.write("mine");
  await ann.page.keyboard.type(" and ");
  await bob.note("mine and").click();
  await bob.page.keyboard.press("Delete");
  const said = ann.page.getByRole("status").filter({ hasText: "deleted the note that you were writing in" });
  await expect(said).toBeVisible();
  await ann.page.keyboard.type("n1+[");
  await ann.page.keyboard.press("Delete");
  await ann.expectTexts("other");
  await expect(ann.button("Zoom to 100%")).toHaveText("100%");
  await said.getByRole("button", { name: "Put it back" }).click();
  await expect(ann.editor).toBeFocused();
  await ann.page.keyboard.press("Control+End");
  await ann.page.keyboard.type("more");
  await ann.leave();
  await bob.expectTexts("mine and more", "other");
});

test("a text is as large as it can be, and one that is cut can be read by all", async ({
  person,
}) => {
  const ann = await Desk.create(await person());
  await ann.add("Hi", 300, 300);
  await ann.add("ШИРОКИЙ МАРШРУТ: ЖЮРИ, ФОРМЫ И ШАБЛОНЫ, ЩИТЫ", 560, 300);
  await ann.add("See https://example.org/a, please", 820, 300);
  const long = Array.from({ length: 120 }, (_, at) => `line ${at + 1}`).join("\n");
  await ann.add(long, 300, 560);
  await expect(ann.note("Hi")).toHaveCSS("font-size", "56px");
  const fits = (text: string): Promise<boolean> =>
    ann.note(text).locator(".text").evaluate((area) => area.scrollHeight <= area.clientHeight);
  expect(await fits("ШИРОКИЙ МАРШРУТ: ЖЮРИ, ФОРМЫ И ШАБЛОНЫ, ЩИТЫ")).toBe(true);
  const link = ann.page.getByRole("link", { name: "https://example.org/a", exact: true });
  await expect(link).toHaveAttribute("href", "https://example.org/a");
  await expect(link).toHaveAttribute("rel", "noopener noreferrer");

  const viewer = await Desk.open(await person(), await ann.link("Can only view"));
  await expect(viewer.button("Read all of it")).toHaveCount(1);
  await viewer.button("Read all of it").click();
  const whole = viewer.page.getByRole("dialog", { name: "The whole note" });
  await expect(whole).toContainText("line 120");
  await whole.getByText("line 1", { exact: false }).first().selectText();
  expect(await viewer.page.evaluate(() => String(getSelection()))).toContain("line 119");

  // While one writes, the text shrinks when it must, and does not grow before a pause.
  await ann.page.keyboard.press("Escape");
  await ann.write("Hi");
  await ann.page.keyboard.press("Control+End");
  await ann.page.keyboard.type(" there, you all");
  const size = (): Promise<number> =>
    ann.editor.evaluate((area) => parseFloat(getComputedStyle(area).fontSize));
  await expect.poll(size).toBeLessThan(56);
  await ann.page.keyboard.press("Control+a");
  await ann.page.keyboard.press("Backspace");
  await expect.poll(size).toBe(56);
});
