import { expect, test } from "../fixtures.ts";
import { Desk } from "./desk.ts";

test("a drag holds to the lines of others while a key is held, or by a switch", async ({ person }) => {
  const ann = await Desk.create(await person());
  const bob = await ann.join(await person());
  const { keyboard, mouse } = ann.page;
  await ann.add("still", 400, 240);
  await ann.add("moved", 640, 560);
  const left = async (desk: Desk, text: string): Promise<number> =>
    Number((await desk.place(desk.note(text))).split(",")[0]);
  const to = await left(ann, "still");
  const drag = async (dx: number, key?: string): Promise<void> => {
    const box = await ann.box(ann.note("moved"));
    const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
    await mouse.move(x, y);
    await mouse.down();
    await mouse.move(x + dx / 2, y + 4, { steps: 3 });
    if (key !== undefined) await keyboard.down(key);
    await mouse.move(x + dx, y, { steps: 3 });
    if (key !== undefined) await expect(ann.page.locator(".guide").first()).toBeVisible();
    await mouse.up();
    if (key !== undefined) await keyboard.up(key);
    await expect(ann.page.locator(".guide")).toHaveCount(0);
  };

  // As it is, a note lies where the hand puts it.
  await drag(-235);
  expect(await left(ann, "moved")).toBe(to + 5);
  await drag(2, "Control");
  expect(await left(ann, "moved")).toBe(to);
  await expect.poll(() => left(bob, "moved")).toBe(to);

  // The switch is kept on the device, and the key then lets go.
  await ann.leave();
  await keyboard.press("?");
  await ann.page.getByLabel("Notes that are dragged hold to the lines and gaps of others").check();
  await keyboard.press("Escape");
  await ann.page.reload();
  await ann.expectSaved();
  await drag(6);
  expect(await left(ann, "moved")).toBe(to);
});
