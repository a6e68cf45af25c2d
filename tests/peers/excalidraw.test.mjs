import "./dom.mjs";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { board, readBack, texts, written } from "./files.mjs";

const { restore, serializeAsJSON } = await import("./node_modules/.peers/excalidraw.mjs");

const file = JSON.parse(readFileSync(written("excalidraw"), "utf8"));
const { elements } = restore(structuredClone(file), null, null);
const boxes = elements.filter((element) => element.type === "rectangle");
const labelOf = (box) => elements.find((element) => element.containerId === box.id);

test("every note is a box, in its order, with its text", () => {
  assert.deepEqual(boxes.map((box) => labelOf(box)?.originalText ?? ""), texts(board.stickers));
  assert.equal(elements.length, boxes.length + boxes.filter(labelOf).length);
});

test("places, sizes and colours are ours, boxes grown to their labels", () => {
  for (const [at, box] of boxes.entries()) {
    const note = board.stickers[at];
    assert.deepEqual([box.x, box.y, box.width], [note.x, note.y, note.width]);
    assert.ok(box.height >= note.height);
    assert.deepEqual([box.backgroundColor, box.fillStyle], [note.color, "solid"]);
    const label = labelOf(box);
    if (!label) continue;
    assert.ok(label.x >= box.x && label.y >= box.y, note.text);
    assert.ok(label.y + label.height <= box.y + box.height, note.text);
    assert.equal(label.text.replaceAll(/\s/g, ""), note.text.replaceAll(/\s/g, ""));
  }
});

test("what Excalidraw writes of it comes back", () => {
  const notes = readBack(serializeAsJSON(elements, {}, {}, "local"), "excalidraw");
  const looks = (all) => all.map((note) => [note.x, note.y, note.width, note.color, note.text]);
  assert.deepEqual(looks(notes), looks(board.stickers));
});
