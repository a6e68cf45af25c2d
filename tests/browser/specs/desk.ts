import { type Locator, type Page, type WebSocketRoute } from "@playwright/test";
import { expect } from "../fixtures.ts";

/** A desk as one person sees it. */
export class Desk {
  constructor(readonly page: Page) {}

  /** Makes a desk from the start page. */
  static async create(page: Page): Promise<Desk> {
    await page.goto("/");
    await page.getByRole("button", { name: "New desk" }).click();
    await page.waitForURL(/\/d\/[0-9A-Z]{26}$/);
    const desk = new Desk(page);
    await desk.expectSaved();
    return desk;
  }

  /** Opens a link. */
  static async open(page: Page, link: string): Promise<Desk> {
    await page.goto(new URL(link).pathname);
    const desk = new Desk(page);
    await desk.expectSaved();
    return desk;
  }

  /** Opens this desk for somebody else. */
  join(page: Page): Promise<Desk> {
    return Desk.open(page, this.page.url());
  }

  get notes(): Locator {
    return this.page.locator("[data-note]");
  }

  get status(): Locator {
    return this.page.locator("[data-status]");
  }

  get editor(): Locator {
    return this.page.getByRole("textbox", { name: "Text of the note" });
  }

  note(text: string): Locator {
    // A long text is not all of a note's name.
    const name = text.length <= 200 ? text : `${text.trim().slice(0, 200).trimEnd()}…`;
    return this.page.getByRole("group", { name, exact: true });
  }

  button(name: string): Locator {
    return this.page.getByRole("button", { name, exact: true });
  }

  async expectSaved(): Promise<void> {
    await expect(this.status).toHaveAttribute("data-status", "saved");
  }

  async expectTexts(...texts: string[]): Promise<void> {
    await expect
      .poll(async () => (await this.notes.allInnerTexts()).map((text) => text.trim()).sort())
      .toEqual([...texts].sort());
  }

  /** Sticks a note with its middle at a place of the window, and leaves it. */
  async add(text: string, x = 400, y = 320): Promise<Locator> {
    await this.page.mouse.dblclick(x, y);
    await expect(this.editor).toBeFocused();
    await this.page.keyboard.insertText(text);
    await this.page.keyboard.press("Escape");
    await this.page.keyboard.press("Escape");
    const note = this.note(text);
    await expect(note).toBeVisible();
    return note;
  }

  /** Opens a note for writing. */
  async write(text: string): Promise<void> {
    const box = await this.box(this.note(text));
    await this.page.mouse.dblclick(box.x + box.width / 2, box.y + box.height / 2);
    await expect(this.editor).toBeFocused();
  }

  /** Drags a note by its middle. */
  async drag(note: Locator, dx: number, dy: number): Promise<void> {
    const box = await this.box(note);
    const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
    await this.page.mouse.move(x, y);
    await this.page.mouse.down();
    await this.page.mouse.move(x + dx, y + dy, { steps: 8 });
    await this.page.mouse.up();
  }

  async box(note: Locator): Promise<{ x: number; y: number; width: number; height: number }> {
    const box = await note.boundingBox();
    if (box === null) throw new Error("the note is not on the screen");
    return box;
  }

  /** Where a note lies on the board, as `x,y` in board units. */
  place(note: Locator): Promise<string> {
    return note.evaluate((element) => {
      const { left, top } = (element as HTMLElement).style;
      return `${parseInt(left, 10)},${parseInt(top, 10)}`;
    });
  }

  /** The link of a kind, as the share dialog shows it; made there if there is none. */
  async link(label: string): Promise<string> {
    await this.button("Share").click();
    const field = this.page.getByLabel(label);
    if ((await field.inputValue()) === "") {
      await this.page.locator(".link", { has: field }).getByRole("button").click();
    }
    await expect(field).toHaveValue(/\/d\//);
    const value = await field.inputValue();
    await this.page.keyboard.press("Escape");
    return value;
  }

  /** Pastes plain text onto the board. */
  paste(text: string): Promise<void> {
    return this.page.evaluate((words) => {
      const clipboardData = new DataTransfer();
      clipboardData.setData("text/plain", words);
      document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true }));
    }, text);
  }

  /** What the overview shows: the share of pixels that are a note's, and a place of one. */
  overview(): Promise<{ share: number; some: { x: number; y: number } }> {
    return this.page.locator("canvas.overview").evaluate((element) => {
      const canvas = element as HTMLCanvasElement;
      const { width, height } = canvas;
      const { data } = canvas.getContext("2d")!.getImageData(0, 0, width, height);
      let count = 0;
      let some = { x: 0, y: 0, far: Infinity };
      for (let at = 0; at < width * height; at++) {
        if (data[4 * at + 3] === 0) continue;
        count += 1;
        const [x, y] = [at % width, Math.floor(at / width)];
        const far = Math.hypot(x - width / 2, y - height / 2);
        if (far < some.far) some = { x, y, far };
      }
      return { share: count / (width * height), some: { x: some.x, y: some.y } };
    });
  }

  /** Somebody else's pointer in this colour, where it is drawn. */
  pointer(color: string): Promise<{ x: number; y: number } | null> {
    return this.page.locator("canvas.cursors").evaluate((element, wanted) => {
      const canvas = element as HTMLCanvasElement;
      const { width, height } = canvas;
      const { data } = canvas.getContext("2d")!.getImageData(0, 0, width, height);
      const [red, green, blue] = [1, 3, 5].map((at) => parseInt(wanted.slice(at, at + 2), 16));
      for (let at = 0; at < width * height; at++) {
        const [r, g, b, a] = data.subarray(4 * at, 4 * at + 4);
        if (a === 255 && r === red && g === green && b === blue) {
          return { x: at % width, y: Math.floor(at / width) };
        }
      }
      return null;
    }, color);
  }

  /** Stops writing and selects nothing. */
  async leave(): Promise<void> {
    await this.page.keyboard.press("Escape");
    await this.page.keyboard.press("Escape");
  }
}

/** A person's line to the server, to be cut and mended; other requests go on. */
export class Cable {
  #cut = false;
  readonly #sockets = new Set<WebSocketRoute>();

  /** `delays`: how long each message takes, one after the other, in milliseconds. */
  static async of(page: Page, ...delays: number[]): Promise<Cable> {
    const cable = new Cable();
    await page.route("**/api/desk/collaboration/poll?*", (route) =>
      cable.#cut ? route.abort() : route.fallback(),
    );
    await page.routeWebSocket(/\/api\/desk\/collaboration\/init/, (socket) => {
      if (cable.#cut) {
        void socket.close({ code: 1001 });
        return;
      }
      cable.#sockets.add(socket);
      const server = socket.connectToServer();
      if (delays.length > 0) {
        const there = (): boolean => cable.#sockets.has(socket);
        socket.onMessage(slowly(delays, there, (message) => server.send(message)));
        server.onMessage(slowly(delays, there, (message) => socket.send(message)));
      }
    });
    return cable;
  }

  async cut(): Promise<void> {
    this.#cut = true;
    const sockets = [...this.#sockets];
    this.#sockets.clear();
    await Promise.all(sockets.map((socket) => socket.close({ code: 1001 })));
  }

  /** The next attempt passes. */
  repair(): void {
    this.#cut = false;
  }

  /** The page need not wait for its next attempt: the browser says that the line is back. */
  async mend(page: Page): Promise<void> {
    this.repair();
    await page.evaluate(() => window.dispatchEvent(new Event("online")));
  }
}

/** Passes messages on late and in their order, while `there` says that the line is. */
function slowly(
  delays: readonly number[],
  there: () => boolean,
  send: (message: string | Buffer) => void,
): (message: string | Buffer) => void {
  let count = 0;
  let last = Promise.resolve();
  return (message) => {
    const late = new Promise<void>((due) => setTimeout(due, delays[count++ % delays.length]!));
    // One waits for the other: of two timers that end at once either may come first.
    last = Promise.all([last, late]).then(() => {
      if (there()) send(message);
    });
  };
}
