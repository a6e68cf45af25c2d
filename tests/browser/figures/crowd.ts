import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Page } from "@playwright/test";

const WASM = join(dirname(fileURLToPath(import.meta.url)), "../../../web/src/wasm");

/**
 * Lets so many people point at the desk, 30 times a second each, until the page is closed.
 * Each is a client core of its own with a line of its own, in one page of another browser.
 */
export async function crowd(page: Page, link: string, people: number): Promise<void> {
  for (const [name, type] of [
    ["desk_client.js", "text/javascript"],
    ["desk_client_bg.wasm", "application/wasm"],
  ] as const) {
    const body = readFileSync(join(WASM, name));
    await page.route(`**/assets/crowd/${name}`, (route) => route.fulfill({ body, contentType: type }));
  }
  await page.goto("/");
  await page.evaluate(
    async ([id, count]) => {
      const module = "/assets/crowd/desk_client.js";
      const core = await import(module);
      await core.default({ module_or_path: "/assets/crowd/desk_client_bg.wasm" });
      const join = async (number: number): Promise<void> => {
        const answer = await fetch("/api/desk/init", {
          method: "POST",
          headers: { "Content-Type": "application/json" },
          body: JSON.stringify({ name: id, create_new: false, desk: false }),
        });
        const { session_key: key } = await answer.json();
        const client = new core.DeskClient(number, number * 7919, key);
        client.stopPersisting();
        const socket = new WebSocket(`ws://${location.host}/api/desk/collaboration/init`, [
          "sticker-desk.v1",
          `session.${key}`,
        ]);
        socket.binaryType = "arraybuffer";
        const step = (): void => {
          client.report();
          for (;;) {
            const message = client.transmit(Date.now());
            if (message === undefined || socket.readyState !== WebSocket.OPEN) return;
            socket.send(message);
          }
        };
        await new Promise<void>((opened) => {
          socket.onopen = () => opened();
        });
        socket.onmessage = (event) => {
          client.receive(Date.now(), new Uint8Array(event.data));
          step();
        };
        client.connected(Date.now());
        client.person(Date.now(), `Person ${number}`, "#2f56d6");
        step();
        let turn = number;
        setInterval(() => {
          turn += 0.1;
          const [x, y] = [600 + 500 * Math.cos(turn), 400 + 300 * Math.sin(turn * 1.3)];
          client.handleTimeout(Date.now());
          client.point(Date.now(), Math.round(x), Math.round(y));
          step();
        }, 33);
      };
      for (let number = 1; number <= count; number++) await join(number);
    },
    [link, people] as const,
  );
}
