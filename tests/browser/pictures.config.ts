import { defineConfig } from "@playwright/test";
import base from "./playwright.config.ts";

/** The pictures of the README, into `docs`: `npm run pictures`. */
export default defineConfig({
  ...base,
  testDir: "pictures",
  workers: 1,
  fullyParallel: false,
  reporter: [["list"]],
  use: { ...base.use, trace: "off", screenshot: "off" },
});
