import { expect, test } from "../fixtures.ts";
import { Desk } from "./desk.ts";

// Long stories: what a trace of each step costs would be most of their time.
test.use({ trace: "off" });
test.setTimeout(120_000);

/** Where the notes with these texts lie. */
function places(desk: Desk, ...texts: string[]): Promise<[number, number][]> {
  return Promise.all(
    texts.map(async (text) => (await desk.place(desk.note(text))).split(",").map(Number) as [number, number]),
  );
}

test("the next note is a key away, over no other, and none stays empty", async ({ person }) => {
  const desk = await Desk.create(await person());
  const { keyboard } = desk.page;
  await keyboard.press("n");
  await expect(desk.editor).toBeFocused();
  await keyboard.type("one");
  await keyboard.press("Tab");
  await expect(desk.editor).toHaveValue("");
  await keyboard.type("two");
  await keyboard.press("Control+Enter");
  await expect(desk.editor).toHaveValue("");
  await keyboard.type("three");
  await keyboard.press("Escape");
  await desk.expectTexts("one", "two", "three");
  const [one, two, three] = await places(desk, "one", "two", "three");
  expect(two![1], "Tab goes to the right").toBe(one![1]);
  expect(two![0]).toBeGreaterThan(one![0] + 199);
  expect(three![0], "Ctrl Enter goes below").toBe(two![0]);
  expect(three![1]).toBeGreaterThan(two![1] + 199);

  // The place to the right of the first is taken: the next one is over none.
  await desk.write("one");
  await keyboard.press("Tab");
  await keyboard.type("four");
  await desk.leave();
  // So it is with N, as often as it is pressed.
  for (const text of ["five", "six", "seven"]) {
    await keyboard.press("n");
    await expect(desk.editor).toHaveValue("");
    await keyboard.type(text);
    await desk.leave();
  }
  // And with the buttons around a note.
  await desk.note("three").click();
  await desk.button("New note below").click();
  await expect(desk.editor).toHaveValue("");
  await keyboard.type("eight");
  await desk.leave();
  const all = ["one", "two", "three", "four", "five", "six", "seven", "eight"];
  await keyboard.press("1");
  await desk.expectTexts(...all);
  const found = await places(desk, ...all);
  for (const [at, [x, y]] of found.entries()) {
    const near = ([a, b]: [number, number]): boolean => Math.abs(a - x) < 200 && Math.abs(b - y) < 200;
    expect(found.filter(near), `${all[at]} lies alone`).toHaveLength(1);
  }

  // A new note without a word goes when it is left, by key or by pointer, and leaves no trace.
  await keyboard.press("n");
  await expect(desk.editor).toBeFocused();
  await keyboard.press("Escape");
  await expect(desk.notes).toHaveCount(8);
  await keyboard.press("n");
  await keyboard.type("no");
  await keyboard.press("Control+a");
  await keyboard.press("Delete");
  await desk.page.mouse.click(20, 400);
  await expect(desk.notes).toHaveCount(8);
  await desk.button("Bin").click();
  await expect(desk.page.getByText("Deleted notes wait here")).toBeVisible();
  await desk.expectSaved();
});

test("several notes are selected and changed as one step", async ({ person }) => {
  const ann = await Desk.create(await person());
  const bob = await ann.join(await person());
  const { keyboard, mouse } = ann.page;
  await ann.add("a", 300, 250);
  await ann.add("b", 560, 280);
  await ann.add("c", 840, 240);
  await ann.add("d", 300, 560);
  await bob.expectTexts("a", "b", "c", "d");
  const at = await places(bob, "a", "b", "c", "d");
  const several = ann.page.getByRole("toolbar", { name: /^\d notes$/ });
  const back = async (): Promise<void> => {
    await keyboard.press("Control+z");
    await expect.poll(() => places(bob, "a", "b", "c", "d")).toEqual(at);
  };

  // Around the upper three; and one more by Shift, and out again.
  await keyboard.down("Shift");
  await mouse.move(180, 120);
  await mouse.down();
  await mouse.move(980, 420, { steps: 4 });
  await mouse.up();
  await expect(several).toHaveAttribute("aria-label", "3 notes");
  await ann.note("d").click();
  await expect(several).toHaveAttribute("aria-label", "4 notes");
  await ann.note("d").click();
  await keyboard.up("Shift");
  await expect(several).toHaveAttribute("aria-label", "3 notes");

  // One hand moves them all; for others too, and as one step.
  await ann.drag(ann.note("b"), 40, 60);
  await expect
    .poll(() => places(bob, "a", "b", "c", "d"))
    .toEqual(at.map(([x, y], index) => (index < 3 ? [x + 40, y + 60] : [x, y])));
  await back();
  await keyboard.press("ArrowRight");
  await expect.poll(async () => (await places(bob, "c"))[0]).toEqual([at[2]![0] + 10, at[2]![1]]);
  await back();

  await ann.button("Arrange").click();
  await ann.button("Align top").click();
  const tops = async (): Promise<number[]> => (await places(bob, "a", "b", "c")).map(([, y]) => y);
  await expect.poll(tops).toEqual(Array(3).fill(at[2]![1]));
  await back();
  await ann.button("Equal gaps across").click();
  await expect.poll(async () => (await places(bob, "b"))[0]![0]).toBe((at[0]![0] + at[2]![0]) / 2);
  await back();
  await ann.button("Tidy up").click();
  await expect.poll(async () => new Set(await tops()).size).toBeLessThan(3);
  await back();
  await ann.button("Colour: mint").click();
  for (const text of ["a", "b", "c"]) {
    await expect(bob.note(text)).toHaveCSS("background-color", "rgb(174, 234, 203)");
  }
  await keyboard.press("Control+z");
  await expect(bob.note("b")).not.toHaveCSS("background-color", "rgb(174, 234, 203)");

  // The corner stretches all of them.
  const corner = await ann.box(ann.page.locator("[data-resize]"));
  await mouse.move(corner.x + corner.width / 2, corner.y + corner.height / 2);
  await mouse.down();
  await mouse.move(corner.x + 200, corner.y + 100, { steps: 4 });
  await mouse.up();
  await expect(bob.note("a")).not.toHaveCSS("width", "200px");
  await back();
  await expect(bob.note("a")).toHaveCSS("width", "200px");

  await keyboard.press("Control+a");
  await keyboard.press("Delete");
  await bob.expectTexts();
  await ann.page.getByRole("status").getByRole("button", { name: "Undo" }).click();
  await bob.expectTexts("a", "b", "c", "d");
  await ann.expectSaved();
});

test("notes are duplicated, and copied within and between desks", async ({ person }) => {
  const page = await person();
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  const ann = await Desk.create(page);
  const { keyboard, mouse } = page;
  await ann.add("a", 300, 300);
  await ann.add("b", 560, 300);
  await ann.note("a").click();
  await ann.button("Colour: sky").click();
  const [a] = await places(ann, "a");

  await keyboard.press("Control+d");
  await ann.expectTexts("a", "a", "b");
  await keyboard.press("Control+z");
  await ann.expectTexts("a", "b");

  // Alt: the note stays, a copy lies where the hand lets go.
  const box = await ann.box(ann.note("a"));
  await keyboard.down("Alt");
  await mouse.move(box.x + 100, box.y + 100);
  await mouse.down();
  await mouse.move(box.x + 100, box.y + 380, { steps: 4 });
  await mouse.up();
  await keyboard.up("Alt");
  await ann.expectTexts("a", "a", "b");
  const copies = await ann.note("a").all();
  expect((await Promise.all(copies.map((note) => ann.place(note)))).sort()).toEqual(
    [`${a![0]},${a![1]}`, `${a![0]},${a![1] + 280}`].sort(),
  );

  await keyboard.press("Control+a");
  await keyboard.press("Control+x");
  await ann.expectTexts();
  await keyboard.press("Control+v");
  await ann.expectTexts("a", "a", "b");
  const other = await Desk.create(await page.context().newPage());
  await other.page.keyboard.press("Control+v");
  await other.expectTexts("a", "a", "b");
  await expect(other.note("a").first()).toHaveCSS("background-color", "rgb(169, 216, 255)");
  await other.page.keyboard.press("Control+z");
  await other.expectTexts();

  // Lines and cells of other programs.
  await other.paste("first line\n\nsecond line\n");
  await other.expectTexts("first line", "second line");
  await other.page.keyboard.press("Control+z");
  await other.paste('x\ty\n\t"z, and\na second line"');
  await other.expectTexts("x", "y", "z, and\na second line");
  const [y, z] = await places(other, "y", "z, and\na second line");
  expect(z![0]).toBe(y![0]);
  expect(z![1]).toBeGreaterThan(y![1]);
  await other.expectSaved();
});
