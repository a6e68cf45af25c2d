import jsQR from "jsqr";
import { expect, test } from "../fixtures.ts";
import { Desk } from "./desk.ts";

test("a replaced edit link opens nothing, and its owner goes on by the new one", async ({ person }) => {
  const ann = await Desk.create(await person());
  const old = ann.page.url();
  await ann.add("kept");
  await ann.expectSaved();
  const bob = await ann.join(await person());
  await bob.expectTexts("kept");

  await ann.button("Share").click();
  const edit = ann.page.locator(".link", { has: ann.page.getByLabel("Can edit") });
  await edit.getByRole("button", { name: "Replace the link" }).click();
  await edit.getByRole("button", { name: "Replace it" }).click();
  await expect(bob.page.getByRole("region", { name: "This link was replaced" })).toBeVisible();
  await bob.expectTexts("kept");
  await expect(ann.page).not.toHaveURL(old);
  await expect(ann.page).toHaveURL(/[0-9A-Z]{26}$/);
  // The dialog is there again, with the new link: it is what was wanted.
  await expect(ann.page.getByLabel("Can edit")).toHaveValue(ann.page.url());
  const next = await ann.page.getByLabel("Can edit").inputValue();
  await ann.page.keyboard.press("Escape");
  await ann.expectTexts("kept");
  await ann.add("by the new link", 800, 320);
  await ann.expectSaved();
  await ann.page.reload();
  await ann.button("Share").click();
  await expect(ann.button("Delete the desk")).toBeVisible();

  const stranger = await person();
  await stranger.goto(new URL(old).pathname);
  await expect(stranger.getByRole("heading", { name: "This link was replaced" })).toBeVisible();
  const carol = await Desk.open(await person(), next);
  await carol.expectTexts("kept", "by the new link");
});

test("a replaced owner link is void, and the page stays its owner's", async ({ person }) => {
  const ann = await Desk.create(await person());
  const before = await ann.link("Your owner link");
  await ann.button("Share").click();
  const owner = ann.page.locator(".link", { has: ann.page.getByLabel("Your owner link") });
  await owner.getByRole("button", { name: "Replace the link" }).click();
  await owner.getByRole("button", { name: "Replace it" }).click();
  await expect(ann.page.getByLabel("Your owner link")).not.toHaveValue(before);
  await expect(ann.page.getByLabel("Your owner link")).toHaveValue(/\/d\//);
  await ann.page.keyboard.press("Escape");
  await ann.expectSaved();
  await ann.add("still mine");
  await ann.expectSaved();
  const stranger = await person();
  await stranger.goto(new URL(before).pathname);
  await expect(stranger.getByRole("heading", { name: "This link was replaced" })).toBeVisible();
});

test("the owner deletes the desk for everybody, after a question", async ({ person }) => {
  const ann = await Desk.create(await person());
  const bob = await ann.join(await person());
  await ann.add("gone soon");
  await bob.expectTexts("gone soon");
  await bob.button("Share").click();
  await expect(bob.button("Delete the desk")).toHaveCount(0);
  await bob.page.keyboard.press("Escape");

  await ann.button("Share").click();
  await ann.button("Delete the desk").click();
  await ann.button("Not now").click();
  await ann.button("Delete the desk").click();
  await ann.button("Delete for everyone").click();
  await expect(ann.page.getByRole("heading", { name: "This desk was deleted" })).toBeVisible();
  await expect(ann.page.getByText("You have deleted it for everybody")).toBeVisible();
  await expect(bob.page.getByRole("heading", { name: "This desk was deleted" })).toBeVisible();
  await expect(bob.page.getByText("You have deleted it")).toHaveCount(0);
});

test("who finished the session reads that, others who did", async ({ person }) => {
  const ann = await Desk.create(await person());
  const bob = await ann.join(await person());
  await ann.button("Share").click();
  await ann.button("Finish the session").click();
  await ann.button("Finish for everyone").click();
  await expect(ann.page.getByText("You have ended it for everybody.")).toBeVisible();
  await expect(bob.page.getByText("The owner has ended it for everybody.")).toBeVisible();
});

test("a guest's camera takes the link off the screen", async ({ page }) => {
  const ann = await Desk.create(page);
  await ann.button("Share").click();
  await page.getByRole("button", { name: "Show the QR code" }).first().click();
  const code = page.getByRole("img", { name: "The link as a QR code" });
  await expect(code).toBeVisible();
  const image = (await code.screenshot()).toString("base64");
  const seen = await page.evaluate(async (data) => {
    const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
    const bitmap = await createImageBitmap(new Blob([bytes]));
    const canvas = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d")!;
    canvas.drawImage(bitmap, 0, 0);
    const { data: pixels, width, height } = canvas.getImageData(0, 0, bitmap.width, bitmap.height);
    return { pixels: [...pixels], width, height };
  }, image);
  expect(jsQR.default(new Uint8ClampedArray(seen.pixels), seen.width, seen.height)?.data).toBe(page.url());
  await page.getByRole("button", { name: "Hide the QR code" }).click();
  await expect(code).toHaveCount(0);
});
