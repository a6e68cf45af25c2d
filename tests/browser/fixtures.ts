import { type BrowserContext, test as base, expect, type Page } from "@playwright/test";
import { Server } from "./server.ts";

interface Fixtures {
  /** Extra flags of `serve` for a file or a describe: `test.use({ flags: ["--shards", "2"] })`. */
  flags: string[];
  /** Whether pages may use WebTransport. By default their line is a WebSocket, which tests cut. */
  webtransport: boolean;
  /** A server of this test's own, started, removed afterwards. */
  server: Server;
  /** Opens a page of another person: a browser context of its own. */
  person: () => Promise<Page>;
}

/** Playwright's `test` with a real server. A page that logs an error fails its test. */
export const test = base.extend<Fixtures>({
  flags: [[], { option: true }],
  webtransport: [false, { option: true }],
  context: async ({ context, webtransport }, use) => {
    if (!webtransport) await withoutWebTransport(context);
    await use(context);
  },
  server: async ({ flags }, use) => {
    const server = await Server.launch(...flags);
    await use(server);
    await server.dispose();
  },
  baseURL: async ({ server }, use) => use(server.url),
  person: async ({ browser, server, webtransport }, use) => {
    const contexts: BrowserContext[] = [];
    const errors: string[] = [];
    await use(async () => {
      const context = await browser.newContext({ baseURL: server.url });
      contexts.push(context);
      if (!webtransport) await withoutWebTransport(context);
      const page = await context.newPage();
      watch(page, errors);
      return page;
    });
    await Promise.all(contexts.map((context) => context.close()));
    expect(errors, "uncaught errors of the pages").toEqual([]);
  },
  page: async ({ page }, use) => {
    const errors: string[] = [];
    watch(page, errors);
    await use(page);
    expect(errors, "uncaught errors of the page").toEqual([]);
  },
});

/** Takes WebTransport from all pages of a context, as a browser without it. */
export async function withoutWebTransport(context: BrowserContext): Promise<void> {
  await context.addInitScript(() => Reflect.deleteProperty(globalThis, "WebTransport"));
}

/** Collects what must never happen: an exception that nothing caught. */
function watch(page: Page, errors: string[]): void {
  page.on("pageerror", (error) => errors.push(String(error.stack ?? error)));
}

export { expect };
