import { expect, test } from "../fixtures.ts";
import { Desk } from "./desk.ts";

/** Lines that become so many notes when they are pasted. */
function lines(count: number): string {
  return Array.from({ length: count }, (_, at) => `note ${at + 1}`).join("\n");
}

test("of 2,000 notes only those near sight are elements, and all can be seen and taken", async ({
  person,
}) => {
  const ann = await Desk.create(await person());
  const bob = await ann.join(await person());
  await ann.paste(lines(2_000));
  await expect(ann.page.getByText("2000 notes imported.")).toBeVisible();
  await expect(ann.notes).not.toHaveCount(0);
  await ann.expectSaved();
  const { keyboard, mouse } = ann.page;

  // From afar no note is an element, and yet all are drawn.
  await keyboard.press("Escape");
  await keyboard.press("1");
  await expect(ann.notes).toHaveCount(0);
  const drawn = await ann.overview();
  expect(drawn.share, "of the window's pixels are a note's").toBeGreaterThan(0.3);

  // One of them is taken where it lies, and shows its words from near.
  await mouse.dblclick(drawn.some.x, drawn.some.y);
  await expect(ann.editor).toBeFocused();
  await expect(ann.editor).toHaveValue(/^note \d+$/);
  await ann.leave();
  await keyboard.press("0");
  await expect.poll(() => ann.notes.count()).toBeGreaterThan(4);
  expect(await ann.notes.count()).toBeLessThan(120);
  await expect.poll(async () => (await ann.overview()).share, "elements lie over them").toBe(0);

  // What comes into sight is there, what leaves it is none any more.
  const shown = (await ann.notes.allInnerTexts()).sort().join();
  await mouse.move(640, 790);
  for (let way = 0; way < 10; way++) await mouse.wheel(0, 90);
  await expect.poll(async () => (await ann.notes.allInnerTexts()).sort().join()).not.toBe(shown);
  expect(await ann.notes.count()).toBeLessThan(120);

  // Undo takes all of them back at once, for everyone.
  await keyboard.press("Control+z");
  await ann.expectTexts();
  await bob.expectTexts();
  await bob.page.keyboard.press("1");
  await expect.poll(async () => (await bob.overview()).share).toBe(0);
});

test("from afar a note shows its first words", async ({ person }) => {
  const ann = await Desk.create(await person());
  await ann.paste(lines(100));
  await expect(ann.page.getByText("100 notes imported.")).toBeVisible();
  await ann.leave();
  const { keyboard } = ann.page;
  await keyboard.press("1");
  const scale = async (): Promise<number> =>
    parseInt((await ann.page.locator(".percent").innerText()).replace(/\D/g, ""), 10);
  while ((await scale()) >= 25) await keyboard.press("-");
  await expect(ann.notes).toHaveCount(0);
  const ink = (): Promise<number> =>
    ann.page.locator("canvas.overview").evaluate((element) => {
      const canvas = element as HTMLCanvasElement;
      const { data } = canvas.getContext("2d")!.getImageData(0, 0, canvas.width, canvas.height);
      let dark = 0;
      for (let at = 0; at < data.length; at += 4) {
        if (data[at + 3] === 255 && data[at]! + data[at + 1]! + data[at + 2]! < 300) dark += 1;
      }
      return dark;
    });
  await expect.poll(ink).toBeGreaterThan(500);
  // From still farther there is no room for words.
  while ((await scale()) > 12) await keyboard.press("-");
  await expect.poll(ink).toBe(0);
});

test("notes that lie far apart are all in sight", async ({ person }) => {
  const desk = await Desk.create(await person());
  const { keyboard, mouse } = desk.page;
  await desk.add("here");
  await keyboard.press("Escape");
  for (let way = 0; way < 25; way++) await mouse.wheel(0, 90);
  await keyboard.press("n");
  await keyboard.type("there");
  await desk.leave();
  for (let way = 0; way < 12; way++) await keyboard.press("Shift+ArrowRight");
  await keyboard.press("Escape");
  await keyboard.press("1");
  await desk.expectTexts("here", "there");
  for (const note of ["here", "there"]) await expect(desk.note(note)).toBeInViewport({ ratio: 1 });
});
