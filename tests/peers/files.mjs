// Boards through our own readers and writers.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const root = new URL("../..", import.meta.url).pathname;
execFileSync("cargo", ["build", "-q", "-p", "desk-files", "--example", "convert"], { cwd: root });
const convert = join(root, "target/debug/examples/convert");
const folder = mkdtempSync(join(tmpdir(), "peers-"));

/** The board that all tests write. */
export const board = JSON.parse(readFileSync(new URL("board.json", import.meta.url), "utf8"));

/** The path of the board in a format of ours. */
export function written(ending) {
  const to = join(folder, `board.${ending}`);
  execFileSync(convert, [new URL("board.json", import.meta.url).pathname, to]);
  return to;
}

/** The notes that our reader finds in a text of a peer. */
export function readBack(text, ending) {
  const from = join(folder, `back.${ending}`);
  const to = join(folder, "back.json");
  writeFileSync(from, text);
  execFileSync(convert, [from, to]);
  return JSON.parse(readFileSync(to, "utf8")).stickers;
}

/** The texts of a board's notes, from the bottom to the top. */
export const texts = (notes) => notes.map((note) => note.text);
