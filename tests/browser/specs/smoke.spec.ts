import { expect, test } from "../fixtures.ts";

test("the start page answers under a strict content policy", async ({ page, server }) => {
  const refused: string[] = [];
  page.on("console", (message) => {
    if (message.text().includes("Content Security Policy")) refused.push(message.text());
  });
  const answer = await page.goto("/");
  expect(answer?.status()).toBe(200);
  expect(answer?.headers()["content-security-policy"]).toContain("default-src 'self'");
  expect((await page.request.get(`${server.url}/readyz`)).status()).toBe(200);
  expect(refused).toEqual([]);
});

test("the server comes back on its port after kill -9", async ({ page, server }) => {
  await page.goto("/");
  await server.kill9();
  await expect(page.request.get("/readyz")).rejects.toThrow();
  await server.start();
  expect((await page.request.get("/readyz")).status()).toBe(200);
});

test("the drain ends with exit code 0", async ({ server }) => {
  expect(await server.stop()).toBe(0);
});
