#!/bin/sh
# A page whose document a test tool fulfils cannot open a WebSocket to its own loopback host.
#
# Version: Chromium 156 (Debian's package) with playwright-core 1.65.1 and ws 8.18.3 (npm).
# Guess:   route.fulfill({ response, body }) replaces a document's body. The page still has
#          the origin http://127.0.0.1:PORT, so it may connect to that origin as before.
# Seen:    fetch works, because the tool passes it on, and each WebSocket to the page's own
#          host fails with net::ERR_BLOCKED_BY_LOCAL_NETWORK_ACCESS_CHECKS. The document came
#          from no address, so Chromium takes the loopback host for a foreign network. The
#          page as the server gave it connects at once.
# So:      a test that swaps a page's build fulfils its scripts and lets the document pass.
set -eu
CHROMIUM=${CHROMIUM_BIN:-/usr/bin/chromium}
[ -x "$CHROMIUM" ] || { echo "needs Chromium: set CHROMIUM_BIN"; exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund playwright-core@1.65.1 ws@8.18.3
cat >seen.mjs <<'END'
import { createServer } from "node:http";
import { chromium } from "playwright-core";
import { WebSocketServer } from "ws";

const server = createServer((_, answer) => answer.end("<title>page</title>"));
new WebSocketServer({ server }).on("connection", (socket) => socket.send("hello"));
await new Promise((done) => server.listen(0, "127.0.0.1", done));
const url = `http://127.0.0.1:${server.address().port}/`;
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  args: ["--no-sandbox", "--disable-gpu"],
});
async function connects(fulfilled) {
  const context = await browser.newContext();
  if (fulfilled) {
    await context.route(url, async (route) => {
      await route.fulfill({ response: await route.fetch(), body: "<title>other</title>" });
    });
  }
  const page = await context.newPage();
  let why = "";
  page.on("console", (message) => (why += message.text()));
  await page.goto(url);
  const said = await page.evaluate(
    (at) =>
      new Promise((done) => {
        const socket = new WebSocket(at.replace("http", "ws"));
        socket.onmessage = (event) => done(event.data);
        socket.onerror = () => done("failed");
      }),
    url,
  );
  await context.close();
  return [said, why.includes("ERR_BLOCKED_BY_LOCAL_NETWORK_ACCESS_CHECKS")];
}
const plain = await connects(false);
const fulfilled = await connects(true);
await browser.close();
server.closeAllConnections();
server.close();
if (plain[0] !== "hello") throw new Error(`changed: the plain page says ${plain}`);
if (fulfilled[0] !== "failed" || !fulfilled[1]) {
  console.log(`changed: the fulfilled page says ${fulfilled}`);
  process.exit(1);
}
console.log("as seen: the page as served connects, the fulfilled one is blocked");
END
CHROMIUM=$CHROMIUM node seen.mjs
