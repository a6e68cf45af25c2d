import { statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Page } from "@playwright/test";
import { expect, test } from "../fixtures.ts";
import { Desk } from "../specs/desk.ts";

const DOCS = join(dirname(fileURLToPath(import.meta.url)), "../../../docs");
/** A picture of the README is not larger than this, in bytes. */
const BYTES_MAX = 300_000;

const COLORS = ["#ffe066", "#ffc59e", "#ffb3c4", "#dcc6ff", "#a9d8ff", "#aeeacb", "#dcef8e", "#fffaf0"];

interface Words {
  x: number;
  y: number;
  color: string;
  text: string;
  width?: number;
  height?: number;
}

/** Puts notes onto a desk by pasting the desk's own JSON. */
async function fill(page: Page, notes: readonly Words[]): Promise<void> {
  const json = JSON.stringify({ stickers: notes.map((note, z) => ({ z, ...note })) });
  await page.evaluate((plain) => {
    const clipboardData = new DataTransfer();
    clipboardData.setData("text/plain", plain);
    document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true }));
  }, json);
}

/** The picture once nothing moves any more. */
async function take(page: Page, name: string): Promise<void> {
  await page.evaluate(() => document.fonts.ready);
  await expect(page.locator(".toast")).toHaveCount(0, { timeout: 30_000 });
  const path = join(DOCS, name);
  await page.screenshot({ path, animations: "disabled" });
  expect(statSync(path).size, `bytes of ${name}`).toBeLessThan(BYTES_MAX);
}

/** Clusters of notes around themes, as a workshop of some hours leaves them. */
function workshop(): Words[] {
  const themes = ["Onboarding", "Search", "Billing", "Mobile", "Support", "Speed", "Trust", "Next year"];
  const words = [
    "Ask twice before anything is deleted",
    "Nobody finds the export",
    "Shorter first screen",
    "Invoices as one file",
    "Explain the price before the form",
    "Works on the train",
    "Show who is here",
    "Fewer mails",
    "Keys for everything",
    "Answer within a day",
  ];
  return themes.flatMap((theme, at) => {
    const [left, top] = [(at % 4) * 1560, Math.floor(at / 4) * 1260];
    const color = COLORS[at]!;
    const head = { x: left, y: top, width: 640, height: 160, color: "#fffaf0", text: theme };
    // Where the map lies there are fewer.
    const notes = Array.from({ length: at === 7 ? 12 : 24 }, (_, n) => ({
      x: left + (n % 6) * 232 + ((n * 37) % 17),
      y: top + 210 + Math.floor(n / 6) * 228 + ((n * 53) % 19),
      color: n % 9 === 8 ? COLORS[(at + 3) % COLORS.length]! : color,
      text: words[(n * 7 + at * 3) % words.length]!,
    }));
    return [head, ...notes];
  });
}

test("a large desk from afar, with the map", async ({ person }) => {
  const ann = await Desk.create(await person());
  await ann.page.getByRole("textbox", { name: "Name of the desk" }).fill("What we heard this year");
  await ann.page.keyboard.press("Enter");
  await fill(ann.page, workshop());
  await expect(ann.page.getByText("188 notes imported.")).toBeVisible();
  await ann.leave();
  await ann.leave();
  await ann.button("Show all notes").click();
  await ann.button("Map of the desk").click();
  await ann.expectSaved();
  await take(ann.page, "desk-large.png");
});

test.describe("on a phone, in Russian", () => {
  test.use({ locale: "ru-RU", viewport: { width: 390, height: 780 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 });

  test("a desk with a note in the hand", async ({ page }) => {
    await page.goto("/");
    await page.getByRole("button", { name: "Новая доска" }).click();
    const desk = new Desk(page);
    await desk.expectSaved();
    await fill(page, [
      { x: 0, y: 0, color: COLORS[0]!, text: "Выезд в горы: кто едет?" },
      { x: 230, y: 10, color: COLORS[5]!, text: "Палатки у Лены" },
      { x: 10, y: 232, color: COLORS[2]!, text: "Список покупок: чай, крупа, хлеб, яблоки" },
      { x: 236, y: 240, color: COLORS[4]!, text: "Поезд в 7:40" },
      { x: 0, y: 462, color: COLORS[3]!, text: "Спросить про погоду" },
      { x: 232, y: 470, color: COLORS[1]!, text: "Фотоаппарат!" },
    ]);
    await desk.expectTexts(
      "Выезд в горы: кто едет?",
      "Палатки у Лены",
      "Список покупок: чай, крупа, хлеб, яблоки",
      "Поезд в 7:40",
      "Спросить про погоду",
      "Фотоаппарат!",
    );
    await page.getByRole("button", { name: "Показать все заметки" }).tap();
    await desk.note("Палатки у Лены").tap();
    await desk.expectSaved();
    await take(page, "desk-phone.png");
  });
});

test("the dialog for files", async ({ person }) => {
  const ann = await Desk.create(await person());
  await ann.page.getByRole("textbox", { name: "Name of the desk" }).fill("What we heard this year");
  await ann.page.keyboard.press("Enter");
  await fill(ann.page, workshop().slice(0, 50));
  await expect(ann.page.getByText("50 notes imported.")).toBeVisible();
  await ann.leave();
  await ann.leave();
  await ann.button("Show all notes").click();
  await ann.button("Import and export").click();
  await expect(ann.page.getByRole("dialog")).toBeVisible();
  await ann.expectSaved();
  await take(ann.page, "desk-files.png");
});
