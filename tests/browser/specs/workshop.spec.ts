import AxeBuilder from "@axe-core/playwright";
import type { Page } from "@playwright/test";
import { expect, test } from "../fixtures.ts";
import { Desk } from "./desk.ts";

const TOOLS = "Workshop";

/** The panel with the tools; opened if it is not there. */
async function tools(desk: Desk) {
  const panel = desk.page.getByRole("complementary", { name: TOOLS });
  if (!(await panel.isVisible())) {
    await desk.page.getByRole("toolbar", { name: "Tools" }).getByRole("button", { name: TOOLS }).click();
    await expect(panel).toBeVisible();
  }
  return {
    press: (name: string) => panel.getByRole("button", { name, exact: true }).click(),
    field: (name: string) => panel.getByRole("spinbutton", { name }),
    panel,
  };
}

const timer = (desk: Desk) => desk.page.getByRole("timer");

/** What is left, in seconds. */
async function rest(desk: Desk): Promise<number> {
  const [minutes, seconds] = (await timer(desk).innerText()).trim().split(":").map(Number);
  return minutes! * 60 + seconds!;
}

async function expectAccessible(page: Page): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  expect(violations.map((one) => `${one.id}: ${one.nodes[0]?.html}`)).toEqual([]);
}

test("one timer for all: who starts, pauses and adds is seen by everybody", async ({ person }) => {
  const ann = await Desk.create(await person());
  const bob = await ann.join(await person());
  const hers = await tools(ann);
  await hers.press("Start: 5 min");
  await expect(timer(bob)).toBeVisible();
  // Both look at one moment: at most one step of the clock lies between.
  const [one, other] = await Promise.all([rest(ann), rest(bob)]);
  expect(Math.abs(one - other)).toBeLessThanOrEqual(1);
  expect(one).toBeLessThanOrEqual(300);
  // It runs.
  await expect.poll(() => rest(bob)).toBeLessThan(other);

  const his = await tools(bob);
  await his.press("Pause");
  await expect(hers.panel.getByRole("button", { name: "Go on" })).toBeVisible();
  await expect.poll(async () => (await rest(ann)) === (await rest(bob))).toBe(true);
  const paused = await rest(bob);
  await hers.press("+1 min");
  await expect.poll(() => rest(bob)).toBe(paused + 60);
  await hers.press("Go on");
  await expect.poll(() => rest(bob)).toBeLessThan(paused + 60);
  await expectAccessible(ann.page);
  await his.press("Stop");
  await expect(timer(ann)).toBeHidden();
  // Undo is for notes: there is nothing to take back.
  await expect(ann.button("Undo")).toBeDisabled();
});

/** Somebody's program starts a timer that ends in so many milliseconds. */
async function startByProgram(desk: Desk, ms: number): Promise<void> {
  const name = desk.page.url().slice(-26);
  const init = await desk.page.request.post("/api/desk/init", { data: { name, create_new: false, desk: false } });
  const { session_key: key, revision } = (await init.json()) as { session_key: string; revision: number };
  const end = Buffer.alloc(8);
  end.writeBigUInt64LE(BigInt(Date.now() + ms));
  const answer = await desk.page.request.patch("/api/desk/collaboration/sync", {
    headers: { "WebSocket-Session-Key": key, "R-User-ID": "a-program" },
    data: { client_seq: 1, base_revision: revision, ops: [{ set_register: { key: 1, value: [1, ...end] } }] },
  });
  expect(answer.status()).toBe(221);
}

test("a timer ends gently, and can be made longer", async ({ person }) => {
  const ann = await Desk.create(await person());
  await startByProgram(ann, 4000);
  await expect(ann.page.getByRole("status").getByText("One minute is left.")).toBeAttached();
  await expect(timer(ann)).toHaveText("0:01");
  await expect(timer(ann)).toHaveText("0:00");
  await expect(ann.page.getByRole("status").getByText("Time is up.")).toBeAttached();
  const hers = await tools(ann);
  await hers.press("+1 min");
  await expect(timer(ann)).toHaveText(/^(1:00|0:5\d)$/);
});

/** KIT-3 */
test("votes are limited a person, hidden and then revealed together", async ({ person }) => {
  const ann = await Desk.create(await person());
  await ann.add("tea", 300, 320);
  await ann.add("cake", 600, 320);
  const bob = await ann.join(await person());
  const cyd = await ann.join(await person());
  const hers = await tools(ann);
  await hers.field("Votes a person").fill("2");
  await hers.press("Start voting");

  // Ann gives by pointer, Bob by keys.
  await hers.press("Close the workshop’s tools");
  await ann.button("Vote for: cake").click();
  await ann.button("Vote for: cake").click();
  await ann.button("Vote for: tea").click();
  await expect(ann.page.getByText("You have given all your votes.", { exact: false })).toBeVisible();
  await expect(ann.note("tea").getByRole("group", { name: "Your votes here: 0" })).toBeVisible();
  await bob.note("cake").click();
  await bob.page.keyboard.press("v");
  await bob.note("tea").click();
  await bob.page.keyboard.press("v");
  await bob.page.keyboard.press("Shift+V");
  await bob.page.keyboard.press("v");
  await expect(bob.page.getByText("0 of 2 votes left")).toBeVisible();
  await ann.button("Take a vote back from: cake").click();
  await ann.button("Vote for: tea").click();
  // Nobody sees the votes of others.
  await expect(bob.note("cake").getByRole("group", { name: "Your votes here: 1" })).toBeVisible();
  await expect(cyd.note("cake").getByRole("group", { name: "Your votes here: 0" })).toBeVisible();
  await ann.expectSaved();
  await bob.expectSaved();

  await (await tools(bob)).press("Reveal the votes");
  for (const desk of [ann, bob, cyd]) {
    await expect(desk.note("cake").getByRole("img", { name: "2 votes" })).toBeVisible();
    await expect(desk.note("tea").getByRole("img", { name: "2 votes" })).toBeVisible();
  }
  const result = (await tools(cyd)).panel.getByRole("listitem");
  await expect(result).toHaveCount(2);
  await expectAccessible(cyd.page);

  // A new round begins at zero.
  await (await tools(ann)).press("End voting");
  await (await tools(ann)).press("Start voting");
  await expect(cyd.note("cake").getByRole("group", { name: "Your votes here: 0" })).toBeVisible();
  await expect(ann.page.getByText("3 of 3 votes left").first()).toBeVisible();
});

/** KIT-4 */
test("private writing hides new notes of others until they are revealed", async ({ person }) => {
  const ann = await Desk.create(await person());
  await ann.add("known", 300, 300);
  const bob = await ann.join(await person());
  const hers = await tools(ann);
  // The page says that nothing else hides them (KIT-6).
  await expect(hers.panel.getByText("Only the page hides them", { exact: false })).toBeVisible();
  await hers.press("Start private writing");
  await expect(bob.page.getByText("Private writing").first()).toBeVisible();
  await hers.press("Close the workshop’s tools");
  await ann.add("secret", 700, 300);
  const blank = bob.note("Hidden until revealed");
  await expect(blank).toBeVisible();
  await expect(bob.page.getByText("secret")).toHaveCount(0);
  await expect(bob.note("known")).toBeVisible();
  // Nor does it open for writing.
  await blank.dblclick();
  await expect(bob.editor).toBeHidden();
  await expect(bob.page.getByText("This note is hidden until it is revealed.")).toBeVisible();
  await expectAccessible(bob.page);
  // What the page hides it does not find either, and a reload does not help.
  await bob.page.reload();
  await bob.expectSaved();
  await expect(bob.note("Hidden until revealed")).toBeVisible();
  await (await tools(bob)).press("Reveal all notes");
  await expect(bob.note("secret")).toBeVisible();
  await expect(ann.note("secret")).toBeVisible();
});

/** KIT-5 */
test("who is called goes along, can go back, and can be asked first", async ({ person }) => {
  const ann = await Desk.create(await person());
  await ann.add("here", 400, 320);
  const bob = await ann.join(await person());
  const place = async (): Promise<number> => (await bob.box(bob.note("here"))).x;
  const before = await place();
  // Ann looks elsewhere.
  await ann.page.mouse.wheel(-300, 0);
  const hers = await tools(ann);
  await hers.press("Bring everyone to my view");
  await expect(bob.page.getByText("brought everyone here")).toBeVisible();
  // The windows are of one size: Bob sees what Ann sees.
  await expect.poll(place).toBe((await ann.box(ann.note("here"))).x);
  expect(await place()).not.toBe(before);
  await bob.button("Go back").click();
  await expect.poll(place).toBe(before);
  await expect(ann.page.getByText("brought everyone here")).toBeHidden();

  const his = await tools(bob);
  await his.panel.getByRole("checkbox", { name: "Ask me before I am brought elsewhere" }).check();
  await hers.press("Bring everyone to my view");
  await expect(bob.page.getByText("asks everyone to look elsewhere")).toBeVisible();
  expect(await place()).toBe(before);
  await bob.button("Stay here").click();
  await expect(bob.page.getByText("asks everyone to look elsewhere")).toBeHidden();
});

test("a viewer sees the timer and the votes, and changes neither", async ({ person }) => {
  const ann = await Desk.create(await person());
  await ann.add("tea");
  const link = await ann.link("Can only view");
  const vic = await Desk.open(await person(), link);
  const hers = await tools(ann);
  await hers.press("Start: 3 min");
  await hers.press("Start voting");
  await expect(timer(vic)).toBeVisible();
  await expect(vic.button(TOOLS)).toHaveCount(0);
  await expect(vic.button("Vote for: tea")).toHaveCount(0);
  await hers.press("Close the workshop’s tools");
  await ann.button("Vote for: tea").click();
  await (await tools(ann)).press("Reveal the votes");
  await expect(vic.note("tea").getByRole("img", { name: "1 vote" })).toBeVisible();
});

test.describe("on a phone, in Russian", () => {
  test("the tools fit the screen and take taps", async ({ browser, server, person }) => {
    const context = await browser.newContext({
      baseURL: server.url,
      locale: "ru-RU",
      viewport: { width: 390, height: 780 },
      hasTouch: true,
      isMobile: true,
    });
    const page = await context.newPage();
    await page.goto("/");
    await page.getByRole("button", { name: "Новая доска" }).tap();
    await page.getByRole("button", { name: "Встреча" }).tap();
    const panel = page.getByRole("complementary", { name: "Встреча" });
    await panel.getByRole("button", { name: "Запустить: 3 мин" }).tap();
    await expect(page.getByRole("timer")).toBeVisible();
    await expectAccessible(page);
    await panel.getByRole("button", { name: "Закрыть инструменты встречи" }).tap();
    // With all at once no bar lies over another.
    const ann = await Desk.open(await person(), page.url());
    const hers = await tools(ann);
    await hers.press("Start voting");
    await hers.press("Start private writing");
    await hers.press("Bring everyone to my view");
    await expect(page.getByText("Вас позвали сюда")).toBeVisible();
    await expect(page.getByText("Осталось голосов: 3 из 3")).toBeVisible();
    const bars = await page.locator(".bar:visible").evaluateAll((all) =>
      all.map((bar) => bar.getBoundingClientRect()).map(({ left, top, right, bottom }) => ({ left, top, right, bottom })),
    );
    for (const [at, one] of bars.entries()) {
      expect(one.left).toBeGreaterThanOrEqual(0);
      expect(one.right).toBeLessThanOrEqual(390);
      for (const other of bars.slice(at + 1)) {
        const apart =
          one.right <= other.left || other.right <= one.left || one.bottom <= other.top || other.bottom <= one.top;
        expect(apart, `${JSON.stringify(one)} ${JSON.stringify(other)}`).toBe(true);
      }
    }
    await context.close();
  });
});
