import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { JSONCanvas } from "@trbn/jsoncanvas";
import { board, readBack, written } from "./files.mjs";

const text = readFileSync(written("canvas"), "utf8");
const looks = (all) =>
  all.map((note) => [note.x, note.y, note.width, note.height, note.color, note.text]);

test("every note is a text node that the specification allows", () => {
  const { nodes, edges } = JSON.parse(text);
  assert.deepEqual(edges, []);
  assert.deepEqual(looks(nodes), looks(board.stickers));
  for (const node of nodes) {
    assert.equal(node.type, "text");
    for (const name of ["x", "y", "width", "height"]) assert.ok(Number.isInteger(node[name]));
    assert.match(node.color, /^#[0-9a-f]{6}$/);
  }
  assert.equal(new Set(nodes.map((node) => node.id)).size, nodes.length);
});

test("the library reads it, and what it writes comes back", () => {
  const canvas = JSONCanvas.fromString(text);
  assert.equal(canvas.getNodes().length, board.stickers.length);
  const notes = readBack(canvas.toString(), "canvas");
  assert.deepEqual(looks(notes), looks(board.stickers));
});
