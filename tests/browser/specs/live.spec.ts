import type { Page } from "@playwright/test";
import { expect, test } from "../fixtures.ts";
import { Desk } from "./desk.ts";

/** One of the colours that the page draws by lot. */
const DRAWN = "#7c3aed";

test("what one does, the other sees, both ways", async ({ person }) => {
  const ann = await Desk.create(await person());
  const bob = await ann.join(await person());

  await ann.add("from Ann", 400, 320);
  await expect(bob.note("from Ann")).toBeVisible();
  await bob.add("from Bob", 800, 320);
  await expect(ann.note("from Bob")).toBeVisible();

  const before = await bob.place(bob.note("from Ann"));
  await ann.drag(ann.note("from Ann"), 60, 140);
  const after = await ann.place(ann.note("from Ann"));
  expect(after).not.toBe(before);
  await expect.poll(() => bob.place(bob.note("from Ann"))).toBe(after);

  await ann.button("Colour: mint").click();
  await expect(bob.note("from Ann")).toHaveCSS("background-color", "rgb(174, 234, 203)");

  await bob.note("from Bob").click();
  await bob.page.keyboard.press("Delete");
  await expect(ann.note("from Bob")).toBeHidden();
  await bob.page.getByRole("status").getByRole("button", { name: "Undo" }).click();
  await expect(ann.note("from Bob")).toBeVisible();

  await ann.page.getByRole("textbox", { name: "Name of the desk" }).fill("Plans");
  await ann.page.keyboard.press("Enter");
  await expect(bob.page.getByRole("textbox", { name: "Name of the desk" })).toHaveValue("Plans");
  await expect(bob.page).toHaveTitle(/^Plans/);
  await ann.expectSaved();
  await bob.expectSaved();
});

test("two type into one note at once: no letter is lost and no caret strays", async ({
  person,
}) => {
  const ann = await Desk.create(await person());
  const bob = await ann.join(await person());
  await ann.add("middle");
  await expect(bob.note("middle")).toBeVisible();

  await ann.write("middle");
  await bob.write("middle");
  await expect(ann.page.getByText("is writing")).toBeVisible();
  await ann.page.keyboard.press("Control+Home");
  await bob.page.keyboard.press("Control+End");
  await Promise.all([
    ann.page.keyboard.type("the quick brown fox ", { delay: 15 }),
    bob.page.keyboard.type(" jumps over the dog", { delay: 15 }),
  ]);

  const whole = "the quick brown fox middle jumps over the dog";
  await expect(ann.editor).toHaveValue(whole);
  await expect(bob.editor).toHaveValue(whole);
  const caret = (desk: Desk): Promise<number> =>
    desk.editor.evaluate((area) => (area as HTMLTextAreaElement).selectionStart);
  expect(await caret(ann)).toBe("the quick brown fox ".length);
  expect(await caret(bob)).toBe(whole.length);

  await ann.leave();
  await bob.leave();
  await ann.expectTexts(whole);
  await bob.expectTexts(whole);
});

test("others' cursors carry their names", async ({ person }) => {
  const ann = await Desk.create(await person());
  await ann.button("Your name and colour").click();
  await ann.page.getByRole("textbox", { name: "Name", exact: true }).fill("Ann Other");
  await ann.button("Done").click();
  const bob = await ann.join(await person());

  const people = bob.page.getByRole("list", { name: "Who is here" });
  const face = people.getByTitle("Ann Other");
  await expect(face).toBeVisible();
  const color = await face.evaluate((element) => element.style.getPropertyValue("--person"));
  await ann.page.mouse.move(500, 400);
  await ann.page.mouse.move(520, 410);
  const near = async (x: number, y: number): Promise<boolean> => {
    const at = await bob.pointer(color);
    return at !== null && Math.hypot(at.x - x, at.y - y) < 6;
  };
  await expect.poll(() => near(520, 410)).toBe(true);
  await ann.page.mouse.move(900, 200);
  await expect.poll(() => near(900, 200)).toBe(true);

  await ann.page.close();
  await expect.poll(() => bob.pointer(color)).toBeNull();
  await expect(face).toBeHidden();
});

test("undo takes back one's own changes only", async ({ person }) => {
  const ann = await Desk.create(await person());
  const bob = await ann.join(await person());
  await ann.add("Ann's", 300, 320);
  await bob.add("Bob's", 700, 320);
  await expect(ann.note("Bob's")).toBeVisible();
  const place = await ann.place(ann.note("Ann's"));

  await ann.drag(ann.note("Ann's"), 50, 150);
  await bob.drag(bob.note("Bob's"), 90, 150);
  const bobs = await bob.place(bob.note("Bob's"));
  await expect.poll(() => ann.place(ann.note("Bob's"))).toBe(bobs);

  await ann.page.keyboard.press("Control+z");
  await expect.poll(() => ann.place(ann.note("Ann's"))).toBe(place);
  await expect.poll(() => bob.place(bob.note("Ann's"))).toBe(place);
  expect(await ann.place(ann.note("Bob's"))).toBe(bobs);

  await ann.button("Redo").click();
  await expect.poll(() => ann.place(ann.note("Ann's"))).not.toBe(place);
  // Everything of Ann's goes; what is Bob's stays.
  while (await ann.button("Undo").isEnabled()) await ann.button("Undo").click();
  await bob.expectTexts("Bob's");
  await ann.expectTexts("Bob's");
});

test("tabs of one browser are people of their own", async ({ person }) => {
  const first = await Desk.create(await person());
  const second = await first.join(await first.page.context().newPage());
  await first.add("first tab", 300, 320);
  await expect(second.note("first tab")).toBeVisible();
  await second.add("second tab", 700, 320);
  await expect(first.note("second tab")).toBeVisible();
  await expect(first.button("Undo")).toBeEnabled();
  await first.expectSaved();
  await second.expectSaved();
});

test("note text is text, and the page asks nobody but its server", async ({ person, server }) => {
  const page = await person();
  const foreign: string[] = [];
  const refused: string[] = [];
  page.on("request", (request) => {
    if (!request.url().startsWith(server.url)) foreign.push(request.url());
  });
  page.on("console", (message) => {
    if (message.text().includes("Content Security Policy")) refused.push(message.text());
  });
  const desk = await Desk.create(page);
  const words = `<img src=x onerror="window.hit=1"><b>bold</b>`;
  await desk.add(words);
  await expect(desk.note(words).locator("img, b")).toHaveCount(0);
  expect(await page.evaluate(() => "hit" in window)).toBe(false);
  expect(foreign).toEqual([]);
  expect(refused).toEqual([]);
});

test("two people to whom the lot gave one colour get two, and who picked one keeps it", async ({
  person,
}) => {
  const profiled = async (picked: boolean): Promise<Page> => {
    const page = await person();
    const saved = JSON.stringify({ name: "Someone", color: DRAWN, picked });
    await page.addInitScript((profile) => {
      if (localStorage.getItem("sticker-desk.profile") === null)
        localStorage.setItem("sticker-desk.profile", profile);
    }, saved);
    return page;
  };
  const color = (desk: Desk): Promise<string> =>
    desk.page
      .getByRole("button", { name: "Your name and colour" })
      .evaluate((button) => getComputedStyle(button).getPropertyValue("--person").trim());
  const ann = await Desk.create(await profiled(false));
  const bob = await ann.join(await profiled(false));
  await expect.poll(() => color(bob)).not.toBe(DRAWN);
  expect(await color(ann)).toBe(DRAWN);
  const eve = await ann.join(await profiled(true));
  await eve.add("from Eve");
  await expect(ann.note("from Eve")).toBeVisible();
  expect(await color(eve)).toBe(DRAWN);
});

test("the window goes where a person is who is followed", async ({ person }) => {
  const ann = await Desk.create(await person());
  const bob = await ann.join(await person());
  await ann.add("here");
  await bob.page.getByRole("textbox", { name: "Name of the desk" }).waitFor();
  await bob.page.mouse.move(640, 400);
  const follow = ann.page.getByRole("button", { name: /^Follow / });
  await follow.click();
  await expect(follow).toHaveAttribute("aria-pressed", "true");
  await expect(ann.page.getByText(/^You follow /)).toBeVisible();

  // Bob goes far to the right, and Ann's window with him.
  await bob.leave();
  for (let way = 0; way < 30; way++) await bob.page.keyboard.press("ArrowRight");
  await bob.page.mouse.move(660, 410);
  await bob.page.keyboard.press("n");
  await bob.page.keyboard.type("there");
  await expect(ann.note("there")).toBeInViewport();

  // By hand Ann goes her own way again, as with Esc.
  await ann.leave();
  await expect(ann.page.getByText(/^You follow /)).toBeHidden();
  await follow.click();
  await expect(ann.page.getByText(/^You follow /)).toBeVisible();
  await ann.page.mouse.move(640, 500);
  await ann.page.mouse.wheel(0, 90);
  await expect(ann.page.getByText(/^You follow /)).toBeHidden();

  // Who leaves is followed no more.
  await follow.click();
  await bob.page.goto("about:blank");
  await expect(ann.page.getByText(/^You follow /)).toBeHidden();
  await expect(follow).toBeHidden();
});
