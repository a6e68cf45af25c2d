import { expect, test } from "../fixtures.ts";
import { Cable, Desk } from "./desk.ts";

test("a viewer sees everything live and can change nothing", async ({ person }) => {
  const ann = await Desk.create(await person());
  await ann.add("look");
  const viewer = await Desk.open(await person(), await ann.link("Can only view"));
  await expect(viewer.page.getByText("View only")).toBeVisible();
  await viewer.expectTexts("look");

  await expect(viewer.button("Add a note")).toHaveCount(0);
  await expect(viewer.page.getByRole("textbox", { name: "Name of the desk" })).toHaveCount(0);
  await viewer.page.mouse.dblclick(800, 500);
  await viewer.page.keyboard.press("n");
  await viewer.note("look").dblclick();
  await viewer.page.keyboard.press("Delete");
  await expect(viewer.editor).toHaveCount(0);
  const place = await viewer.place(viewer.note("look"));
  await viewer.drag(viewer.note("look"), 80, 80);
  expect(await viewer.place(viewer.note("look"))).toBe(place);

  await ann.add("new", 800, 320);
  await viewer.expectTexts("look", "new");
  await viewer.expectSaved();
});

test("the creator copies the link with one click and keeps the owner link", async ({ person }) => {
  const page = await person();
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  const ann = await Desk.create(page);
  const edit = await ann.link("Can edit");
  const owner = await ann.link("Your owner link");
  expect(new URL(edit).pathname).toBe(new URL(page.url()).pathname);
  expect(owner).not.toBe(edit);
  await ann.button("Share").click();
  await page.getByRole("button", { name: "Copy link" }).first().click();
  await expect(page.getByText("Copied")).toBeVisible();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(edit);

  const editor = await Desk.open(await person(), edit);
  await editor.button("Share").click();
  await expect(editor.button("Finish the session")).toHaveCount(0);
  const elsewhere = await Desk.open(await person(), owner);
  await elsewhere.button("Share").click();
  await expect(elsewhere.button("Finish the session")).toBeVisible();
});

test("a finished session stays finished until somebody rejoins", async ({ person }) => {
  const ann = await Desk.create(await person());
  const bob = await ann.join(await person());
  await ann.add("kept");
  await bob.expectTexts("kept");

  await ann.button("Share").click();
  await ann.button("Finish the session").click();
  await ann.button("Finish for everyone").click();
  const ended = bob.page.getByRole("region", { name: "The session is finished" });
  await expect(ended).toBeVisible();
  await expect(ann.button("Rejoin")).toBeVisible();
  await expect(bob.button("Add a note")).toHaveCount(0);
  await bob.expectTexts("kept");

  await bob.button("Rejoin").click();
  await expect(ended).toBeHidden();
  await bob.expectSaved();
  await bob.add("again", 800, 320);
  // Ann has not asked to come back.
  await expect(ann.button("Rejoin")).toBeVisible();
  await ann.button("Rejoin").click();
  await ann.expectTexts("kept", "again");
  await ann.add("both", 400, 600);
  await bob.expectTexts("kept", "again", "both");
});

test("a page that comes back to a finished session does not rejoin by itself", async ({
  person,
}) => {
  const ann = await Desk.create(await person());
  const bob = await ann.join(await person());
  await bob.add("there");
  await bob.expectSaved();
  await ann.expectTexts("there");
  const context = bob.page.context();
  const address = bob.page.url();
  await bob.page.close();
  await ann.button("Share").click();
  await ann.button("Finish the session").click();
  await ann.button("Finish for everyone").click();
  await expect(ann.button("Rejoin")).toBeVisible();

  const back = await context.newPage();
  await back.goto(address);
  await expect(back.getByRole("button", { name: "Rejoin" })).toBeVisible();
});

test("work done offline outlives a session that was finished meanwhile", async ({ person }) => {
  const ann = await Desk.create(await person());
  const page = await person();
  const cable = await Cable.of(page);
  const bob = await ann.join(page);
  await bob.add("seen", 300, 320);
  await bob.expectSaved();
  await cable.cut();
  await expect(bob.status).toHaveAttribute("data-status", "offline");
  await bob.add("unseen", 900, 320);
  await expect(bob.status).toContainText("waiting");
  await ann.button("Share").click();
  await ann.button("Finish the session").click();
  await ann.button("Finish for everyone").click();
  await expect(ann.button("Rejoin")).toBeVisible();

  await cable.mend(page);
  await bob.button("Rejoin").click();
  await bob.expectSaved();
  await bob.expectTexts("seen", "unseen");
  await ann.button("Rejoin").click();
  await ann.expectTexts("seen", "unseen");
});

test("an unknown desk says what happened", async ({ person }) => {
  const page = await person();
  const second = Math.floor(Date.now() / 1000);
  const digits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
  const id = [...(BigInt(second) << 96n).toString(32).padStart(26, "0")]
    .map((digit) => digits[parseInt(digit, 32)])
    .join("");
  await page.goto(`/d/${id}`);
  await expect(page.getByRole("heading", { name: "No such desk" })).toBeVisible();
  await page.getByRole("link", { name: "To the start page" }).click();
  await expect(page.getByRole("button", { name: "New desk" })).toBeVisible();
  await page.goto("/d/not-a-desk");
  await expect(page.getByRole("heading", { name: "No such desk" })).toBeVisible();
});
