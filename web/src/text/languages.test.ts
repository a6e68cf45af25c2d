import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { initSync, troubleWords } from "../wasm/vectors/desk_client";
import { plurals } from "./plural";
import { messages as ru } from "./ru";

initSync({
  module: readFileSync(fileURLToPath(new URL("../wasm/vectors/desk_client_bg.wasm", import.meta.url))),
});

it("each language tells of all the troubles that the core knows, and of no other", () => {
  for (const { troubles } of [ru]) {
    expect(Object.keys(troubles ?? {}).sort()).toEqual(troubleWords().sort());
  }
});

it("numbers take the forms of their language", () => {
  expect([1, 2, 5, 21, 111].map(ru.note.count)).toEqual([
    "1 заметка",
    "2 заметки",
    "5 заметок",
    "21 заметка",
    "111 заметок",
  ]);
  expect(plurals("en")(1, { one: "note", other: "notes" })).toBe("1 note");
  expect(ru.time.left(2 * 24 * 3_600_000)).toBe("2 дня");
});
