import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { board, readBack, written } from "./files.mjs";

const has = (() => {
  try {
    return execFileSync("soffice", ["--version"], { encoding: "utf8" });
  } catch {
    return null;
  }
})();

/** Our table as Calc has it: opened, and saved in another format. */
function saved(ending, filter) {
  const folder = mkdtempSync(join(tmpdir(), "calc-"));
  const input = "--infilter=Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,false";
  const profile = `-env:UserInstallation=file://${folder}/profile`;
  const to = filter ? `${ending}:${filter}` : ending;
  execFileSync("soffice", [profile, "--headless", input, "--convert-to", to, "--outdir", folder, written("csv")]);
  return readFileSync(join(folder, `board.${ending}`), "utf8");
}

test("no cell is a formula, and places are numbers", { skip: !has }, () => {
  const sheet = saved("fods");
  assert.ok(!sheet.includes("table:formula"), "a formula");
  // Equal cells side by side are written once, with their count.
  const cells = sheet.match(/<table:table-cell[^>]*office:value-type="float"[^>]*>/g) ?? [];
  const repeated = (cell) => Number(/columns-repeated="(\d+)"/.exec(cell)?.[1] ?? 1);
  const numbers = cells.reduce((sum, cell) => sum + repeated(cell), 0);
  // x, y, width, height and z of each note.
  assert.ok(numbers >= 5 * board.stickers.length, `${numbers} numbers`);
});

test("what Calc saves of it comes back", { skip: !has }, () => {
  const notes = readBack(saved("csv", "Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,false"), "csv");
  const looks = (all) =>
    all.map((note) => [note.x, note.y, note.width, note.height, note.color, note.text]);
  assert.deepEqual(looks(notes), looks(board.stickers));
});
