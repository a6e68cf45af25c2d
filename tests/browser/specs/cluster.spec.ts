import { expect, withoutWebTransport } from "../fixtures.ts";
import { test } from "@playwright/test";
import { Cluster } from "../cluster.ts";
import { Desk } from "./desk.ts";

// Six processes start and two of them are killed.
test.setTimeout(120_000);

test("two people go on when the machine of their desk is gone", async ({ browser }) => {
  const cluster = await Cluster.launch();
  const contexts = await Promise.all([0, 1, 2].map(() => browser.newContext()));
  const [first, second, third] = await Promise.all(
    contexts.map(async (context) => {
      await withoutWebTransport(context);
      return context.newPage();
    }),
  );
  try {
    await expect
      .poll(async () => (await first!.request.get(`${cluster.nodes[2]!.url}/admin/cluster`)).text())
      .not.toContain("nobody");
    await first!.goto(cluster.nodes[0]!.url);
    await first!.getByRole("button", { name: "New desk" }).click();
    await first!.waitForURL(/\/d\/[0-9A-Z]{26}$/);
    const ann = new Desk(first!);
    await ann.expectSaved();
    const path = new URL(first!.url()).pathname;
    // Whichever machine is asked, the page is of the one that has the desk.
    await second!.goto(cluster.nodes[1]!.url + path);
    const bob = new Desk(second!);
    await bob.expectSaved();
    const owner = cluster.machineOf(second!.url());
    await ann.add("before", 400, 320);
    await bob.expectTexts("before");

    await cluster.kill9(owner);
    await ann.add("of Ann", 700, 320);
    await bob.add("of Bob", 400, 560);
    // A stream that the dead nats-server led elects another leader, for seconds.
    for (const desk of [ann, bob]) {
      await expect(desk.status).toHaveAttribute("data-status", "saved", { timeout: 30_000 });
    }
    await ann.expectTexts("before", "of Ann", "of Bob");
    await bob.expectTexts("before", "of Ann", "of Bob");
    // Somebody new comes by a machine that is left.
    const living = (owner + 1) % 3;
    await third!.goto(cluster.nodes[living]!.url + path);
    const eve = new Desk(third!);
    await eve.expectTexts("before", "of Ann", "of Bob");
  } finally {
    await Promise.all(contexts.map((context) => context.close()));
    await cluster.dispose();
  }
});
