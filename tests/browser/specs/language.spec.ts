import { expect, test } from "../fixtures.ts";
import { Desk } from "./desk.ts";

test.describe("in a Russian browser", () => {
  test.use({ locale: "ru-RU" });

  test("the page speaks Russian, and English when that is chosen", async ({ person, server }) => {
    const page = await person();
    await page.goto("/");
    await expect(page.locator("html")).toHaveAttribute("lang", "ru");
    await page.getByRole("button", { name: "Новая доска" }).click();
    const ann = new Desk(page);
    await ann.expectSaved();
    await expect(ann.status).toContainText("Сохранено");
    await expect(page.getByText(/осталось (7 дней|6 дней)/)).toBeVisible();
    await page.keyboard.press("n");
    await page.keyboard.insertText("раз");
    await page.keyboard.press("Escape");
    await page.keyboard.press("Control+a");
    await page.keyboard.press("Control+d");
    await page.keyboard.press("Control+a");
    await expect(page.getByRole("toolbar", { name: "2 заметки" })).toBeVisible();
    await page.getByRole("button", { name: "Удалить", exact: true }).click();
    await expect(page.getByText("2 заметки удалены")).toBeVisible();
    await page.getByRole("button", { name: "Поделиться" }).click();
    await expect(page.getByText(/Доска будет удалена навсегда \d+ [а-я]+ \d{4}/)).toBeVisible();
    await page.keyboard.press("Escape");

    await server.kill9();
    await expect(ann.status).toContainText("Нет связи");
    await server.start();
    await expect(ann.status).toContainText("Сохранено");

    await page.mouse.dblclick(400, 320);
    await page.keyboard.insertText("слово");
    await page.getByRole("button", { name: "Ваше имя и цвет" }).click();
    await page.getByRole("combobox", { name: "Язык" }).selectOption("English");
    await expect(page.locator("html")).toHaveAttribute("lang", "en");
    await page.getByRole("button", { name: "Done" }).click();
    await expect(ann.status).toContainText("Saved");
    await expect(ann.note("слово")).toBeVisible();
    await page.reload();
    await expect(ann.status).toContainText("Saved");
    await expect(page.locator("html")).toHaveAttribute("lang", "en");
  });
});

test.describe("in a Russian browser, for a file that is no board", () => {
  test.use({ locale: "ru-RU" });

  test("the reason is told in Russian", async ({ person }) => {
    const page = await person();
    await page.goto("/");
    await page.getByRole("button", { name: "Новая доска" }).click();
    const ann = new Desk(page);
    await ann.expectSaved();
    await ann.paste('{"nodes": [{"id": "a", "type": "text", "x"');
    await expect(page.getByText(/Причина: файл повреждён или обрезан: строка 1, знак \d+\./)).toBeVisible();
    await ann.paste('{"type": "FeatureCollection"}');
    await expect(page.getByText(/Причина: такие файлы не читаются; .*строки текста\./)).toBeVisible();
  });
});

test.describe("in a browser of a language that there is not", () => {
  test.use({ locale: "fr-FR" });

  test("the page speaks English", async ({ page }) => {
    await page.goto("/");
    await expect(page.getByRole("button", { name: "New desk" })).toBeVisible();
    await expect(page.locator("html")).toHaveAttribute("lang", "en");
  });
});

test("of a text that is too long, what fits goes in and the rest can be copied", async ({ page }) => {
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  const ann = await Desk.create(page);
  await page.mouse.dblclick(400, 320);
  await page.keyboard.insertText("end");
  await page.keyboard.press("Control+Home");
  await page.keyboard.insertText("a".repeat(9_990) + "😀".repeat(10));
  await expect(page.getByText("A note holds 10,000 characters: 3 characters were left out.")).toBeVisible();
  const fits = (await ann.editor.inputValue()) === "a".repeat(9_990) + "😀".repeat(7) + "end";
  expect(fits).toBe(true);
  await page.getByRole("button", { name: "Copy the rest" }).click();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe("😀😀😀");
  await ann.expectSaved();
});
