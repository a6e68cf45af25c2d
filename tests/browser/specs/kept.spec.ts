import type { Page } from "@playwright/test";
import { Deploy } from "../deploy.ts";
import { expect, test, withoutWebTransport } from "../fixtures.ts";
import { Server } from "../server.ts";
import { Cable, Desk } from "./desk.ts";

test.use({ serviceWorkers: "allow" });

/** Waits until the page is on this device. */
async function kept(page: Page): Promise<void> {
  await page.waitForFunction(() => navigator.serviceWorker.controller?.state === "activated");
}

test("the page, its desks and unsent work open without a line", async ({ person, server }) => {
  const page = await person();
  const ann = await Desk.create(page);
  await ann.add("sent", 300, 320);
  await ann.page.getByRole("textbox", { name: "Name of the desk" }).fill("Kept");
  await page.keyboard.press("Enter");
  await ann.leave();
  await ann.expectSaved();
  await kept(page);
  const link = page.url();

  await server.kill9();
  await expect(ann.status).toHaveAttribute("data-status", "offline");
  await ann.add("unsent", 700, 320);
  await expect(ann.status).toHaveAttribute("title", /kept on this device/);
  await page.reload();
  await ann.expectTexts("sent", "unsent");
  await page.goto("/");
  await expect(page.getByRole("button", { name: "New desk" })).toBeVisible();
  await page.getByRole("button", { name: "New desk" }).click();
  await expect(page.getByRole("alert")).toHaveText(/needs the line/);
  // The person closes the browser's window, and opens the desk from the list later.
  const context = page.context();
  await page.close();
  const later = await context.newPage();
  await later.goto("/");
  await later.getByRole("link", { name: "Kept" }).click();
  const again = new Desk(later);
  await again.expectTexts("sent", "unsent");
  await expect(again.status).toContainText("2 changes waiting");

  await server.start();
  await again.expectSaved();
  const bob = await Desk.open(await person(), link);
  await bob.expectTexts("sent", "unsent");
});

test("undo and redo go on after a reload", async ({ person }) => {
  const page = await person();
  const ann = await Desk.create(page);
  await ann.add("first", 300, 320);
  await ann.add("second", 700, 320);
  await ann.expectSaved();
  await ann.leave();
  await page.reload();
  await ann.expectTexts("first", "second");
  await ann.button("Undo").click();
  await ann.expectTexts("first", "");
  await page.reload();
  await ann.expectTexts("first", "");
  await ann.button("Redo").click();
  await ann.expectTexts("first", "second");
  await ann.expectSaved();
});

test("what is kept of the page says nothing of any desk", async ({ page }) => {
  await Desk.create(page);
  await kept(page);
  const kinds = await page.evaluate(async () => {
    const cache = await caches.open((await caches.keys())[0]!);
    return (await cache.keys()).map((request) => new URL(request.url).pathname);
  });
  expect(kinds).toContain("/");
  for (const path of kinds) expect(path).toMatch(/^\/($|assets\/|icon|desk\.webmanifest)/);
});

test("a page that no worker saw coming is kept, too", async ({ page }) => {
  await page.goto("/");
  await kept(page);
  const devtools = await page.context().newCDPSession(page);
  // Loaded past the worker, as a page is that was on its way when the worker took over.
  const loaded = page.waitForEvent("load");
  await devtools.send("Page.reload", { ignoreCache: true });
  await loaded;
  await kept(page);
});

test("browsers look for a new version each time, and can install the page", async ({ page }) => {
  const script = await page.request.get("/sw.js");
  expect(script.headers()["cache-control"]).toBe("no-cache");
  expect(script.headers()["content-type"]).toContain("text/javascript");
  await page.goto("/");
  const manifest = await page.locator("link[rel=manifest]").evaluate((link) => (link as HTMLLinkElement).href);
  const told = await page.request.get(manifest);
  expect(told.headers()["content-type"]).toBe("application/manifest+json");
  const { icons, start_url } = (await told.json()) as { icons: { src: string }[]; start_url: string };
  expect(new URL(start_url, manifest).pathname).toBe("/");
  for (const { src } of icons) {
    expect((await page.request.get(new URL(src, manifest).href)).headers()["content-type"]).toMatch(/^image\//);
  }
});

test("a newer page takes over and loses nothing unsent", async ({ browser }) => {
  const deploy = await Deploy.listen();
  const server = await Server.launch("--public-url", deploy.url);
  deploy.to(server.port);
  const context = await browser.newContext({ baseURL: deploy.url });
  await withoutWebTransport(context);
  const page = await context.newPage();
  const cable = await Cable.of(page);
  const ann = await Desk.create(page);
  await ann.add("sent", 300, 320);
  await kept(page);
  await cable.cut();
  await expect(ann.status).toHaveAttribute("data-status", "offline");
  await ann.page.mouse.dblclick(700, 320);
  await ann.page.keyboard.insertText("unsent");

  deploy.publish("next");
  await page.evaluate(async () => (await navigator.serviceWorker.ready).update());
  await expect(page.getByText("A newer version of this page is here.")).toBeVisible();
  await expect(page.locator("html")).not.toHaveAttribute("data-version", "next");
  await ann.button("Load it").click();
  await expect(page.locator("html")).toHaveAttribute("data-version", "next");
  await ann.expectTexts("sent", "unsent");
  await cable.mend(page);
  await ann.expectSaved();
  await context.close();
  await server.dispose();
  await deploy.close();
});
