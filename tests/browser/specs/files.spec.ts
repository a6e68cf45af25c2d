import { readFile } from "node:fs/promises";
import { expect, test } from "../fixtures.ts";
import { Desk } from "./desk.ts";

// Long stories: what a trace of each step costs would be most of their time.
test.use({ trace: "off" });
test.setTimeout(120_000);

interface Flavours {
  html?: string;
  plain?: string;
  file?: { name: string; content: string };
}

/** Pastes these flavours onto the board, or drops them in the window's middle. */
function bring(desk: Desk, event: "paste" | "drop", flavours: Flavours): Promise<void> {
  return desk.page.evaluate(
    ([event, { html, plain, file }]) => {
      const data = new DataTransfer();
      if (html !== undefined) data.setData("text/html", html);
      if (plain !== undefined) data.setData("text/plain", plain);
      if (file !== undefined) data.items.add(new File([file.content], file.name));
      const at = { bubbles: true, cancelable: true, clientX: 640, clientY: 400 };
      if (event === "paste") {
        document.body.dispatchEvent(new ClipboardEvent("paste", { ...at, clipboardData: data }));
        return;
      }
      for (const kind of ["dragenter", "dragover", "drop"]) {
        document.body.dispatchEvent(new DragEvent(kind, { ...at, dataTransfer: data }));
      }
    },
    [event, flavours] as const,
  );
}

const CANVAS = JSON.stringify({
  nodes: [
    { id: "a", type: "text", x: 0, y: 0, width: 260, height: 180, color: "#1e90ff", text: "Book two rooms" },
    { id: "b", type: "text", x: 300, y: 0, width: 200, height: 100, text: "Pack" },
    { id: "c", type: "group", x: 0, y: 0, width: 600, height: 300, label: "Before" },
  ],
  edges: [],
});

test("a file that is dropped becomes notes, in one step, and says what it left out", async ({ person }) => {
  const ann = await Desk.create(await person());
  const bob = await ann.join(await person());
  const asked: string[] = [];
  ann.page.on("request", (request) => asked.push(request.url()));
  await bring(ann, "drop", { file: { name: "trip.canvas", content: CANVAS } });
  await bob.expectTexts("Book two rooms", "Pack");
  await expect(ann.note("Book two rooms")).toHaveCSS("background-color", "rgb(30, 144, 255)");
  await expect(ann.page.getByText("2 notes imported; 1 group not taken over.")).toBeVisible();
  expect(asked.filter((url) => url.includes("desk_files")), "the readers come when they are needed").not.toEqual([]);
  await ann.page.keyboard.press("Control+z");
  await bob.expectTexts();
  await ann.page.keyboard.press("Control+Shift+z");
  await bob.expectTexts("Book two rooms", "Pack");
});

test("what is no board is refused in words, and nothing is added", async ({ person }) => {
  const desk = await Desk.create(await person());
  await desk.add("here");
  for (const [name, content, says] of [
    ["map.json", '{"type": "FeatureCollection"}', /map\.json was not imported: .*FeatureCollection.*Nothing was added/],
    ["cut.canvas", '{"nodes": [{"id": "a", "type": "text", "x"', /cut\.canvas was not imported: .*line 1.*Nothing was added/],
    ["empty.csv", "text\n", /empty\.csv was not imported: .*no notes.*Nothing was added/],
  ] as const) {
    await bring(desk, "drop", { file: { name, content } });
    await expect(desk.page.getByText(says)).toBeVisible();
  }
  await bring(desk, "paste", { plain: '{"type": "FeatureCollection"}' });
  await expect(desk.page.getByText(/This was not pasted/)).toBeVisible();
  await desk.expectTexts("here");
});

test("cells and boards of other programs are pasted by what the clipboard says of them", async ({ person }) => {
  const desk = await Desk.create(await person());
  const cells = `<table><tr><td bgcolor="#b2f2bb">Print the flyers<br>(two sizes)</td></tr>
    <tr><td></td></tr><tr><td>Rain plan &amp; tea</td></tr></table>`;
  await bring(desk, "paste", { html: cells, plain: "Print the flyers (two sizes)\n\nRain plan & tea" });
  await desk.expectTexts("Print the flyers\n(two sizes)", "Rain plan & tea");
  await expect(desk.note("Print the flyers\n(two sizes)")).toHaveCSS("background-color", "rgb(178, 242, 187)");
  await desk.page.keyboard.press("Control+z");
  const excalidraw = {
    type: "excalidraw/clipboard",
    elements: [
      { id: "a", type: "rectangle", x: 0, y: 0, width: 200, height: 200, backgroundColor: "#ffec99", boundElements: [{ id: "b", type: "text" }] },
      { id: "b", type: "text", x: 5, y: 5, width: 190, height: 50, text: "Apples\nfrom the valley", originalText: "Apples from the valley", containerId: "a" },
    ],
    files: {},
  };
  await bring(desk, "paste", { plain: JSON.stringify(excalidraw) });
  await desk.expectTexts("Apples from the valley");
  await expect(desk.note("Apples from the valley")).toHaveCSS("background-color", "rgb(255, 236, 153)");
});

test("the readers come with the first file, and the desk's own notes need none", async ({ person }) => {
  const page = await person();
  const asked: string[] = [];
  page.on("request", (request) => asked.push(request.url()));
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  const desk = await Desk.create(page);
  await desk.add("mine");
  await page.keyboard.press("Control+a");
  await page.keyboard.press("Control+c");
  await page.context().setOffline(true);
  await page.keyboard.press("Control+v");
  await desk.expectTexts("mine", "mine");
  expect(asked.filter((url) => url.includes("desk_files"))).toEqual([]);
  await bring(desk, "paste", { plain: "a line" });
  await expect(page.getByText("reading files needs the line at first")).toBeVisible();
  await page.context().setOffline(false);
  await bring(desk, "paste", { plain: "a line" });
  await desk.expectTexts("mine", "mine", "a line");
});

/** A desk at its limits: 5,000 notes, 4 MiB of text. */
function fullDesk(): string {
  const stickers = Array.from({ length: 5_000 }, (_, at) => ({
    x: (at % 100) * 220,
    y: Math.floor(at / 100) * 220,
    width: 200,
    height: 200,
    color: "#a9d8ff",
    z: at,
    text: `${at}: "quoted"\nand a tab\t${"more words ".repeat(68)}`,
  }));
  return JSON.stringify({ title: "full", stickers });
}

interface Exported {
  stickers: { x: number; y: number; width: number; height: number; color: string; text: string; deleted?: boolean }[];
}

function looks(json: string): string[] {
  const { stickers } = JSON.parse(json) as Exported;
  return stickers.map(({ x, y, width, height, color, text }) => JSON.stringify([x, y, width, height, color, text])).sort();
}

test("a whole desk comes in at once, goes out, and comes back exactly", async ({ person }) => {
  const ann = await Desk.create(await person());
  const bob = await ann.join(await person());
  const file = fullDesk();
  await bring(ann, "drop", { file: { name: "full.json", content: file } });
  await expect(ann.page.getByText("5000 notes imported.")).toBeVisible({ timeout: 60_000 });
  await ann.expectSaved();
  await bob.page.keyboard.press("1");
  await expect.poll(async () => (await bob.overview()).share).toBeGreaterThan(0.1);

  const saved = await take(ann, "json");
  expect(saved.name).toBe("desk.json");
  expect(looks(saved.content.toString())).toEqual(looks(file));

  // One step takes all of it back, for everyone.
  await ann.page.keyboard.press("Control+z");
  await expect.poll(async () => (await bob.overview()).share, { timeout: 60_000 }).toBe(0);
  await bob.expectTexts();
  await bring(ann, "drop", { file: { name: "again.json", content: saved.content.toString() } });
  await expect(ann.page.getByText("5000 notes imported.")).toBeVisible({ timeout: 60_000 });
  expect(looks((await take(ann, "json")).content.toString())).toEqual(looks(file));
});

async function take(desk: Desk, format: string): Promise<{ name: string; content: Buffer }> {
  await desk.button("Import and export").click();
  const [download] = await Promise.all([
    desk.page.waitForEvent("download"),
    desk.page.locator(`[data-format=${format}]`).click(),
  ]);
  await desk.button("Close").click();
  return { name: download.suggestedFilename(), content: await readFile(await download.path()) };
}

test("the desk is taken along in every form, with deleted notes if they are wanted", async ({ person }) => {
  const desk = await Desk.create(await person());
  await desk.add("kept", 300, 300);
  await desk.add("thrown away", 700, 300);
  await desk.note("thrown away").click();
  await desk.page.keyboard.press("Delete");
  await desk.expectSaved();
  for (const [format, begins] of [
    ["json", "{"],
    ["csv", '"text",'],
    ["md", "# "],
    ["pdf", "%PDF"],
    ["svg", "<svg"],
    ["excalidraw", "{"],
    ["tldr", "{"],
    ["canvas", "{"],
  ] as const) {
    const { name, content } = await take(desk, format);
    expect(name).toBe(`desk.${format}`);
    expect(content.toString().trimStart().startsWith(begins), format).toBe(true);
    expect(content.toString()).not.toContain("thrown away");
  }
  expect((await take(desk, "png")).content.subarray(1, 4).toString()).toBe("PNG");
  await desk.button("Import and export").click();
  await desk.page.getByLabel("With deleted notes", { exact: true }).check();
  const [download] = await Promise.all([
    desk.page.waitForEvent("download"),
    desk.page.locator("[data-format=json]").click(),
  ]);
  const file = await readFile(await download.path());
  expect((JSON.parse(file.toString()) as Exported).stickers.map(({ text, deleted }) => [text, deleted === true]).sort()).toEqual([
    ["kept", false],
    ["thrown away", true],
  ]);
  // They come back deleted, if the file is chosen so.
  await desk.page.keyboard.press("Escape");
  const other = await Desk.create(desk.page);
  await other.button("Import and export").click();
  await other.page.getByLabel("With the deleted notes of the file").check();
  const [chooser] = await Promise.all([
    other.page.waitForEvent("filechooser"),
    other.button("Choose a file…").click(),
  ]);
  await chooser.setFiles({ name: "desk.json", mimeType: "application/json", buffer: file });
  await other.expectTexts("kept");
  await other.button("Bin").click();
  await expect(other.page.getByText("thrown away")).toBeVisible();
});

test("all notes are on paper, also those out of sight", async ({ person }) => {
  const desk = await Desk.create(await person());
  await desk.add("near", 300, 300);
  await bring(desk, "paste", { plain: "far" });
  await desk.expectTexts("near", "far");
  await desk.expectSaved();
  await desk.page.keyboard.press("Escape");
  const { mouse } = desk.page;
  for (let way = 0; way < 6; way++) {
    await mouse.move(1_150, 500);
    await mouse.down();
    await mouse.move(150, 500, { steps: 4 });
    await mouse.up();
  }
  // The one that Tab goes to stays drawn.
  await expect(desk.notes).toHaveCount(1);
  await desk.page.evaluate(() => dispatchEvent(new Event("beforeprint")));
  await desk.page.emulateMedia({ media: "print" });
  const paper = desk.page.locator(".printed");
  await expect(paper.locator("p")).toHaveText(["near", "far"]);
  await expect(paper).toBeVisible();
  await expect(desk.button("Share")).toBeHidden();
  await desk.page.emulateMedia({ media: "screen" });
  await desk.page.evaluate(() => dispatchEvent(new Event("afterprint")));
  await expect(paper).toHaveCount(0);
});

test("a viewer takes the desk along and brings nothing in", async ({ person }) => {
  const ann = await Desk.create(await person());
  await ann.add("seen");
  await ann.expectSaved();
  const link = await ann.link("Can only view");
  const bob = await Desk.open(await person(), link);
  await bring(bob, "drop", { file: { name: "trip.canvas", content: CANVAS } });
  await bring(bob, "paste", { plain: "words" });
  const { content } = await take(bob, "md");
  expect(content.toString()).toContain("seen");
  await bob.expectTexts("seen");
  await bob.button("Import and export").click();
  await expect(bob.button("Choose a file…")).toHaveCount(0);
});

test.describe("in Russian", () => {
  test.use({ locale: "ru-RU" });

  test("what is left out of a file, and where one is wrong, is told in Russian", async ({ person }) => {
    const page = await person();
    await page.goto("/");
    await page.getByRole("button", { name: "Новая доска" }).click();
    await page.waitForURL(/\/d\/[0-9A-Z]{26}$/);
    const ann = new Desk(page);
    await ann.expectSaved();
    await bring(ann, "drop", { file: { name: "trip.canvas", content: CANVAS } });
    await expect(page.getByText("не перенесено: 1 группа", { exact: false })).toBeVisible();
    await bring(ann, "drop", { file: { name: "places.csv", content: "text,x,y\nBook,left,1\n" } });
    await expect(page.getByText("неожиданное содержимое: строка 2, x", { exact: false })).toBeVisible();
  });
});
