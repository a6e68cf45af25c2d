import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { initSync, runVectors } from "../wasm/vectors/desk_client";

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const folder = at("../../../protocol/vectors");

/** The protocol's cases, in a module built as the page's is. */
describe("the protocol in WebAssembly", () => {
  initSync({ module: readFileSync(at("../wasm/vectors/desk_client_bg.wasm")) });

  it.each(readdirSync(folder))("finds what %s says", (file) => {
    expect(runVectors(readFileSync(`${folder}/${file}`, "utf8"))).toBeGreaterThan(0);
  });

  it("notices a wrong vector", () => {
    const wrong = [
      {
        name: "n",
        rule: "TEXT-7",
        kind: "invert",
        text: "ab",
        delta: [{ delete: 1 }],
        finds: { result: "a", inverse: [{ insert: "a" }] },
      },
    ];
    expect(() => runVectors(JSON.stringify(wrong))).toThrow(/"result":"b"/);
  });
});
