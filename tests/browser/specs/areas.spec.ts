import { expect, test } from "../fixtures.ts";
import { Desk } from "./desk.ts";

/** Where a note lies on the board. */
async function at(desk: Desk, text: string): Promise<[number, number]> {
  const [x, y] = (await desk.place(desk.note(text))).split(",").map(Number);
  return [x!, y!];
}

test("an area carries its notes, as one step", async ({ person }) => {
  const ann = await Desk.create(await person());
  const bob = await ann.join(await person());
  const { keyboard, mouse } = ann.page;
  await ann.button("Areas and templates").click();
  await ann.button("Area").click();
  await expect(ann.editor).toBeFocused();
  await keyboard.type("Ideas");
  // From its heading the next note is a key away, and lies in it.
  await keyboard.press("Control+Enter");
  await keyboard.type("inside");
  await ann.leave();
  await keyboard.press("1");
  const area = bob.page.locator('[aria-roledescription="area"]');
  await expect(area).toHaveCount(1);
  await bob.expectTexts("Ideas", "inside");

  // A second click in an area makes a note there; one on its heading writes the heading.
  const box = await ann.box(ann.note("Ideas"));
  await mouse.dblclick(box.x + box.width - 90, box.y + box.height - 90);
  await keyboard.type("also");
  await ann.leave();
  await mouse.dblclick(box.x + box.width - 60, box.y + 20);
  await expect(ann.editor).toHaveValue("Ideas");
  await ann.leave();

  const before = await Promise.all(["Ideas", "inside", "also"].map((text) => at(ann, text)));
  await mouse.move(box.x + box.width / 2, box.y + box.height - 20);
  await mouse.down();
  await mouse.move(box.x + box.width / 2 + 60, box.y + box.height - 50, { steps: 6 });
  await mouse.up();
  const by = (await at(ann, "Ideas"))[0] - before[0]![0];
  expect(by).toBeGreaterThan(20);
  for (const [index, text] of ["Ideas", "inside", "also"].entries()) {
    await expect.poll(async () => (await at(bob, text))[0]).toBe(before[index]![0] + by);
  }
  await keyboard.press("Control+z");
  for (const [index, text] of ["Ideas", "inside", "also"].entries()) {
    await expect.poll(() => at(bob, text)).toEqual(before[index]);
  }

  // So do the keys. Who deletes the area leaves the notes.
  await ann.note("Ideas").focus();
  await keyboard.press("ArrowRight");
  await expect.poll(async () => (await at(bob, "also"))[0]).toBe(before[2]![0] + 10);
  await keyboard.press("Delete");
  await bob.expectTexts("inside", "also");
});

test("notes lie over an area that came later, and a rectangle is drawn in it", async ({ person }) => {
  const desk = await Desk.create(await person());
  const { mouse, keyboard } = desk.page;
  await desk.add("first", 640, 400);
  await desk.button("Areas and templates").click();
  await desk.button("Area").click();
  await keyboard.type("Later");
  await desk.leave();
  const note = await desk.box(desk.note("first"));
  await mouse.click(note.x + note.width / 2, note.y + note.height / 2);
  await expect(desk.page.getByRole("toolbar", { name: "Note" })).toBeVisible();
  await expect(desk.page.locator("[data-writer]")).toHaveText("by you");
  await desk.leave();
  await keyboard.down("Shift");
  await mouse.move(note.x - 20, note.y - 20);
  await mouse.down();
  await mouse.move(note.x + note.width + 10, note.y + note.height + 10, { steps: 4 });
  await mouse.up();
  await keyboard.up("Shift");
  await keyboard.press("Delete");
  await desk.expectTexts("Later");
});

test("a template is one step, in the language of the page", async ({ person }) => {
  const ann = await Desk.create(await person());
  const bob = await ann.join(await person());
  await ann.button("Areas and templates").click();
  await ann.button("Retrospective").click();
  await bob.expectTexts("Went well", "Could be better", "We will try");
  await expect(bob.page.locator('[aria-roledescription="area"]')).toHaveCount(3);
  await ann.page.keyboard.press("Control+z");
  await bob.expectTexts();
  for (const [name, count] of [["Kanban", 3], ["2 × 2", 4], ["Brainstorm", 3]] as const) {
    await ann.button("Areas and templates").click();
    await ann.button(name).click();
    await expect(bob.notes).toHaveCount(count);
    await ann.page.keyboard.press("Control+z");
    await expect(bob.notes).toHaveCount(0);
  }
});

test.describe("in Russian, with a finger", () => {
  test.use({ locale: "ru-RU", hasTouch: true, isMobile: true, viewport: { width: 390, height: 780 } });

  test("a template has Russian headings", async ({ page }) => {
    await page.goto("/");
    await page.getByRole("button", { name: "Новая доска" }).tap();
    await page.waitForURL(/\/d\/[0-9A-Z]{26}$/);
    await page.getByRole("button", { name: "Встреча" }).tap();
    await page.getByRole("button", { name: "Ретроспектива" }).tap();
    await expect(page.getByRole("group", { name: "Что было хорошо" })).toBeVisible();
    await expect(page.locator('[aria-roledescription="область"]')).toHaveCount(3);
  });
});

test("who wrote a note is told to the others", async ({ person }) => {
  const ann = await Desk.create(await person());
  await ann.button("Your name and colour").click();
  await ann.page.getByLabel("Name", { exact: true }).fill("Mira");
  await ann.button("Done").click();
  await ann.add("mine", 400, 320);
  const bob = await ann.join(await person());
  await bob.note("mine").click();
  await expect(bob.page.locator("[data-writer]")).toHaveText("by Mira");
  // The name stays known after Mira has left.
  await ann.page.close();
  await expect(bob.page.locator("[data-writer]")).toHaveText("by Mira");
  const eve = await bob.join(await person());
  await eve.note("mine").click();
  await expect(eve.page.locator("[data-writer]")).toHaveText("by someone");
});
