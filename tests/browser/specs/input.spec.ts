import { expect, test } from "../fixtures.ts";
import { Desk } from "./desk.ts";

test("everything basic goes by keyboard alone", async ({ person }) => {
  const desk = await Desk.create(await person());
  const { keyboard } = desk.page;
  await keyboard.press("n");
  await expect(desk.editor).toBeFocused();
  await keyboard.type("by keys");
  await keyboard.press("Escape");
  const note = desk.note("by keys");
  await expect(note).toBeFocused();

  const before = await desk.place(note);
  await keyboard.press("ArrowRight");
  await keyboard.press("Shift+ArrowDown");
  const [x, y] = before.split(",").map(Number) as [number, number];
  await expect.poll(() => desk.place(note)).toBe(`${x + 10},${y + 100}`);

  await keyboard.press("Enter");
  await expect(desk.editor).toBeFocused();
  await keyboard.press("Control+End");
  await keyboard.type("!");
  await keyboard.press("Escape");
  await expect(desk.note("by keys!")).toBeFocused();
  await keyboard.press("Control+z");
  await expect(note).toBeVisible();
  await keyboard.press("Control+Shift+z");
  await expect(desk.note("by keys!")).toBeVisible();

  await keyboard.press("n");
  await keyboard.type("second");
  await keyboard.press("Escape");
  await keyboard.press("Tab");
  await keyboard.press("Shift+Tab");
  await expect(desk.note("second")).toBeFocused();
  await keyboard.press("Delete");
  await desk.expectTexts("by keys!");

  await desk.button("Bin").click();
  await desk.button("Restore").click();
  await desk.expectTexts("by keys!", "second");
  await keyboard.press("?");
  await expect(desk.page.getByRole("dialog", { name: "Keys and gestures" })).toBeVisible();
  await keyboard.press("Escape");
  await desk.expectSaved();
});

test("the wheel and keys zoom, dragging the board pans", async ({ person }) => {
  const desk = await Desk.create(await person());
  const note = await desk.add("look closer");
  const percent = desk.button("Zoom to 100%");
  await desk.page.mouse.move(640, 600);
  await desk.page.mouse.wheel(0, -240);
  await expect(percent).not.toHaveText("100%");
  await desk.page.keyboard.press("0");
  await expect(percent).toHaveText("100%");
  await desk.page.keyboard.press("-");
  await expect(percent).toHaveText("80%");
  await desk.page.keyboard.press("0");

  const before = await desk.box(note);
  await desk.page.mouse.move(900, 600);
  await desk.page.mouse.down();
  await desk.page.mouse.move(1000, 560, { steps: 4 });
  await desk.page.mouse.up();
  const after = await desk.box(note);
  expect([Math.round(after.x - before.x), Math.round(after.y - before.y)]).toEqual([100, -40]);
  await desk.page.keyboard.press("1");
  await expect(note).toBeInViewport({ ratio: 1 });
});

test("a note is resized by its corner and restacked", async ({ person }) => {
  const desk = await Desk.create(await person());
  const low = await desk.add("low", 400, 320);
  const high = await desk.add("high", 700, 320);
  await low.click();
  const box = await desk.box(low);
  await desk.page.mouse.move(box.x + box.width, box.y + box.height);
  await desk.page.mouse.down();
  await desk.page.mouse.move(box.x + box.width + 60, box.y + box.height + 40, { steps: 4 });
  await desk.page.mouse.up();
  await expect(low).toHaveCSS("width", "260px");
  await expect(low).toHaveCSS("height", "240px");

  const z = async (note: typeof low): Promise<number> =>
    Number(await note.evaluate((element) => getComputedStyle(element).zIndex));
  expect(await z(low)).toBeLessThan(await z(high));
  await desk.button("To the front").click();
  await expect.poll(async () => (await z(low)) > (await z(high))).toBe(true);
  await desk.page.keyboard.press("[");
  await expect.poll(async () => (await z(low)) < (await z(high))).toBe(true);
  await desk.expectSaved();
});

test.describe("on a phone", () => {
  test.use({ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });

  test("touch makes, moves, writes and pinches", async ({ page }) => {
    const desk = await Desk.create(page);
    await desk.button("Add a note").tap();
    await expect(desk.editor).toBeFocused();
    await page.keyboard.type("thumb");
    await page.touchscreen.tap(195, 120);
    await expect(desk.editor).toHaveCount(0);
    const note = desk.note("thumb");
    const before = await desk.box(note);
    const at = { x: before.x + before.width / 2, y: before.y + before.height / 2 };

    const touch = await page.context().newCDPSession(page);
    const send = (type: string, ...points: { x: number; y: number; id: number }[]) =>
      touch.send("Input.dispatchTouchEvent", {
        type: type as "touchStart",
        touchPoints: points,
      });
    await send("touchStart", { ...at, id: 1 });
    for (const step of [1, 2, 3, 4]) {
      await send("touchMove", { x: at.x + step * 10, y: at.y - step * 20, id: 1 });
    }
    await send("touchEnd");
    await expect.poll(async () => Math.round((await desk.box(note)).y - before.y)).toBe(-80);

    // Two fingers apart: the board zooms, the page does not.
    await send("touchStart", { x: 150, y: 600, id: 1 });
    await send("touchStart", { x: 150, y: 600, id: 1 }, { x: 240, y: 600, id: 2 });
    await send("touchMove", { x: 105, y: 600, id: 1 }, { x: 285, y: 600, id: 2 });
    await send("touchEnd");
    await expect.poll(async () => Math.round((await desk.box(note)).width)).toBe(400);
    expect(await page.evaluate(() => window.visualViewport?.scale)).toBe(1);

    await page.getByRole("button", { name: "Show all notes" }).tap();
    await expect(note).toBeInViewport({ ratio: 1 });
    const shown = await desk.box(note);
    await page.touchscreen.tap(shown.x + 60, shown.y + 60);
    await page.touchscreen.tap(shown.x + 60, shown.y + 60);
    await expect(desk.editor).toBeFocused();
    await desk.expectSaved();
  });
});
