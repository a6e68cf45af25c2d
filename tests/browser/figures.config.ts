import { defineConfig } from "@playwright/test";
import base from "./playwright.config.ts";

/** The page's figures: measured, never asserted. `npm run figures` on a quiet machine. */
export default defineConfig({
  ...base,
  testDir: "figures",
  workers: 1,
  fullyParallel: false,
  reporter: [["list"]],
  use: { ...base.use, trace: "off", screenshot: "off" },
});
