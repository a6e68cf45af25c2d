import { readFile } from "node:fs/promises";
import { expect, test } from "../fixtures.ts";
import { Desk } from "./desk.ts";

test.describe("a desk of some seconds", () => {
  test.use({ flags: ["--desk-ttl", "30s"] });

  test("warns before its end, and stays readable where it was read", async ({ person, server }) => {
    test.setTimeout(120_000);
    const page = await person();
    await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
    const ann = await Desk.create(page);
    const warning = page.locator(".toast", { hasText: "Save what you want to keep." });
    await warning.getByRole("button", { name: "Save…" }).click();
    await expect(page.getByRole("heading", { name: "Take the desk along" })).toBeVisible();
    await page.keyboard.press("Escape");
    await page.reload();
    await ann.expectSaved();
    await expect(page.getByText(/\d+ s left/)).toBeVisible();
    await expect(warning).toHaveCount(0);
    await ann.add("second", 700, 320);
    await ann.add("first", 300, 320);
    await ann.expectSaved();

    const over = page.getByRole("region", { name: "This desk has expired" });
    await expect(over).toBeVisible({ timeout: 45_000 });
    await ann.expectTexts("first", "second");
    await expect(ann.button("Add a note")).toHaveCount(0);
    await over.getByRole("button", { name: "Copy all" }).click();
    expect(await page.evaluate(() => navigator.clipboard.readText())).toBe("first\n\nsecond");
    const download = page.waitForEvent("download");
    await over.getByRole("button", { name: "Save as file" }).click();
    const file = await (await download).path();
    expect(JSON.parse(await readFile(file, "utf8")).stickers).toHaveLength(2);
    const place = await ann.place(ann.note("first"));

    // Nothing of it is on the server any more.
    await page.goto("/");
    await page.getByRole("link", { name: /expired, kept on this device/ }).click();
    await ann.expectTexts("first", "second");
    await expect(over).toContainText("This device keeps its copy until");
    const elsewhere = await person();
    await elsewhere.goto(page.url());
    await expect(elsewhere.getByRole("heading", { name: "This desk has expired" })).toBeVisible();
    await expect(elsewhere.locator("[data-note]")).toHaveCount(0);

    // The file makes a desk again.
    const next = await Desk.create(await person());
    await next.button("Import and export").click();
    await next.page.locator("input[type=file]").setInputFiles({
      name: "desk.json",
      mimeType: "application/json",
      buffer: await readFile(file),
    });
    await next.expectTexts("first", "second");
    expect(await next.place(next.note("first"))).toBe(place);
    expect(server.running).toBe(true);
  });
});

test("a finished desk can be copied and saved", async ({ person }) => {
  const page = await person();
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  const ann = await Desk.create(page);
  await ann.add("kept");
  await ann.button("Share").click();
  await ann.button("Finish the session").click();
  await ann.button("Finish for everyone").click();
  await ann.button("Copy all").click();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe("kept");
  await expect(ann.button("Save as file")).toBeVisible();
});
