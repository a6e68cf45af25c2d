import { expect, test } from "../fixtures.ts";
import { Cable, Desk } from "./desk.ts";

test("work done offline survives a reload and merges on return", async ({ person }) => {
  const page = await person();
  const cable = await Cable.of(page);
  const ann = await Desk.create(page);
  const bob = await ann.join(await person());
  await ann.add("before", 300, 320);
  await expect(bob.note("before")).toBeVisible();
  await ann.expectSaved();

  await cable.cut();
  await expect(ann.status).toHaveAttribute("data-status", "offline");
  await ann.write("before");
  await ann.page.keyboard.press("Control+End");
  await ann.page.keyboard.type(" and after");
  await ann.leave();
  await ann.add("offline", 700, 320);
  await expect(ann.status).toContainText("waiting");
  await bob.write("before");
  await bob.page.keyboard.press("Control+Home");
  await bob.page.keyboard.type("long ");
  await bob.leave();
  await bob.expectTexts("long before");

  // What the page shows as kept is kept: the queue is on disk before this.
  await expect(ann.status).toHaveAttribute("title", /kept on this device/);
  await ann.page.reload();
  await ann.expectTexts("before and after", "offline");
  await expect(ann.status).toHaveAttribute("data-status", "offline");
  await expect(ann.status).toContainText("waiting");

  await cable.mend(ann.page);
  await ann.expectTexts("long before and after", "offline");
  await bob.expectTexts("long before and after", "offline");
  await ann.expectSaved();
});

test("a tab closed offline leaves its work to the next", async ({ person }) => {
  const page = await person();
  const cable = await Cable.of(page);
  const ann = await Desk.create(page);
  const link = page.url();
  await ann.add("seen");
  await ann.expectSaved();
  await cable.cut();
  await expect(ann.status).toHaveAttribute("data-status", "offline");
  await ann.add("unseen", 700, 320);
  await expect(ann.status).toContainText("waiting");
  const context = page.context();
  await page.close();

  const again = await Desk.open(await context.newPage(), link);
  await again.expectTexts("seen", "unseen");
  const bob = await Desk.open(await person(), link);
  await bob.expectTexts("seen", "unseen");
});

test("two tabs closed offline both leave their work to the next", async ({ person }) => {
  const page = await person();
  const ann = await Desk.create(page);
  const link = page.url();
  const context = page.context();
  const other = await context.newPage();
  const cables = [await Cable.of(page), await Cable.of(other)];
  await page.reload();
  await ann.expectSaved();
  const twin = await ann.join(other);
  for (const cable of cables) await cable.cut();
  await expect(ann.status).toHaveAttribute("data-status", "offline");
  await expect(twin.status).toHaveAttribute("data-status", "offline");
  await ann.add("first tab", 300, 320);
  await twin.add("second tab", 700, 320);
  await expect(ann.status).toContainText("waiting");
  await expect(twin.status).toContainText("waiting");
  const third = await context.newPage();
  await page.close();
  await other.close();

  const again = await Desk.open(third, link);
  await again.expectTexts("first tab", "second tab");
});

test("both windows go on by themselves after the server was killed", async ({
  person,
  server,
}) => {
  const ann = await Desk.create(await person());
  const bob = await ann.join(await person());
  await ann.add("one", 300, 300);
  await bob.add("two", 700, 300);
  await ann.expectTexts("one", "two");
  await ann.expectSaved();
  await bob.expectSaved();

  await server.kill9();
  await expect(ann.status).toHaveAttribute("data-status", "offline");
  await expect(bob.status).toHaveAttribute("data-status", "offline");
  await ann.add("while it was away", 300, 600);
  await server.start();

  await ann.expectSaved();
  await bob.expectTexts("one", "two", "while it was away");
  await bob.add("and on", 700, 600);
  await ann.expectTexts("one", "two", "while it was away", "and on");
  await ann.expectSaved();
  await bob.expectSaved();
  const carol = await ann.join(await person());
  await carol.expectTexts("one", "two", "while it was away", "and on");
});

test("a desk that was deleted meanwhile is told of, and what was written can be copied", async ({ person, server }) => {
  const ann = await Desk.create(await person());
  await ann.add("precious");
  await ann.expectSaved();
  const page = await person();
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  const cable = await Cable.of(page);
  const bob = await ann.join(page);
  await bob.expectSaved();
  await cable.cut();
  await bob.add("written into nothing", 250, 600);
  await expect(bob.status).toContainText("waiting");

  const owner = await ann.page.evaluate(() => JSON.parse(localStorage["sticker-desk.recent"])[0].owner as string);
  const json = { "Content-Type": "application/json" };
  const body = JSON.stringify({ name: owner, create_new: false, desk: false });
  const joined = await fetch(`${server.url}/api/desk/init`, { method: "POST", headers: json, body });
  const { session_key: key } = (await joined.json()) as { session_key: string };
  const gone = await fetch(`${server.url}/api/desk/${owner}`, {
    method: "DELETE",
    headers: { "WebSocket-Session-Key": key },
  });
  expect(gone.ok).toBe(true);

  await cable.mend(page);
  await expect(bob.status).toContainText("The server has no desk at this link");
  await bob.status.getByRole("button", { name: "Copy what was not sent" }).click();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe("written into nothing");
  await expect(bob.note("precious")).toBeVisible();
});
