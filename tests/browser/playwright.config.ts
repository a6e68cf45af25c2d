import { existsSync } from "node:fs";
import { defineConfig } from "@playwright/test";

/** The system's browser; without one, Playwright's own (`npx playwright install chromium`). */
const system = [
  process.env["CHROMIUM_BIN"],
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
].find((path) => path !== undefined && existsSync(path));

export default defineConfig({
  testDir: "specs",
  outputDir: "../../target/browser",
  fullyParallel: true,
  workers: 2,
  // A test that passes on the second try hides a fault of the product or of the test.
  retries: 0,
  timeout: 60_000,
  expect: { timeout: 10_000 },
  forbidOnly: true,
  reporter: [["dot"]],
  use: {
    viewport: { width: 1280, height: 800 },
    // What a page asks for goes past the tests. Those of the service worker allow it.
    serviceWorkers: "block",
    screenshot: "only-on-failure",
    trace: "retain-on-failure",
    launchOptions: {
      ...(system === undefined ? {} : { executablePath: system }),
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-quic",
      ],
    },
  },
});
