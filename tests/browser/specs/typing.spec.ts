import { expect, test } from "../fixtures.ts";
import { Cable, Desk } from "./desk.ts";

/** Letters that each person types. */
const LETTERS = 200;
/** Between two letters, in milliseconds: as fast as a person types at most. */
const PACE = 25;
/** A line over which each message takes its own time, in milliseconds. */
const DELAYS = [20, 180, 60, 5, 120];

// Hundreds of keys in up to three windows: what a trace and a large window cost is not the matter.
test.use({ trace: "off", viewport: { width: 640, height: 480 } });

const NAMES = ["Ann", "Bob", "Cid"];

/** What a person types: words that tell whose they are, and which. */
function sentence(name: string): string {
  let words = "";
  for (let word = 1; words.length < LETTERS; word++) words += `${name}${word} `;
  return words.slice(0, LETTERS);
}

for (const people of [2, 3]) {
  for (const line of ["good", "bad"]) {
    test(`TEXT-3: what ${people} people type at one place stays whole on a ${line} line`, async ({
      person,
    }) => {
      test.setTimeout(180_000);
      const bad = line === "bad";
      const pages = await Promise.all(NAMES.slice(0, people).map(() => person()));
      const cables = await Promise.all(
        pages.map((page) => (bad ? Cable.of(page, ...DELAYS) : Cable.of(page))),
      );
      const ann = await Desk.create(pages[0]!);
      const desks = [ann, ...(await Promise.all(pages.slice(1).map((page) => ann.join(page))))];
      await ann.add("[]");
      for (const desk of desks) {
        await expect(desk.note("[]")).toBeVisible();
        await desk.write("[]");
        await desk.page.keyboard.press("Control+Home");
        await desk.page.keyboard.press("ArrowRight");
      }

      const typed = (desk: Desk): Promise<number> =>
        desk.editor.evaluate((area) => (area as HTMLTextAreaElement).value.length);
      const typing = desks.map((desk, index) =>
        desk.page.keyboard.type(sentence(NAMES[index]!), { delay: PACE }),
      );
      if (bad) {
        // Bob's line breaks twice while he goes on; he sees nothing of the others then.
        const bob = desks[1]!;
        for (const _ of ["once", "twice"]) {
          const before = await typed(bob);
          await cables[1]!.cut();
          await expect(bob.status).toHaveAttribute("data-status", "offline");
          await expect.poll(() => typed(bob)).toBeGreaterThan(before + 30);
          await cables[1]!.mend(bob.page);
          await expect(bob.status).not.toHaveAttribute("data-status", "offline");
        }
      }
      await Promise.all(typing);

      // What is still under way on a bad line needs no longer than this.
      const patience = { timeout: 30_000 };
      const all = people * LETTERS + "[]".length;
      for (const desk of desks) {
        await expect.poll(() => typed(desk), patience).toBe(all);
        await expect(desk.status).toHaveAttribute("data-status", "saved", patience);
      }
      const text = await ann.editor.inputValue();
      for (const desk of desks) await expect(desk.editor).toHaveValue(text);
      for (const name of NAMES.slice(0, people)) expect(text).toContain(sentence(name));
    });
  }
}
