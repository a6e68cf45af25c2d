import "./dom.mjs";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { board, readBack, texts, written } from "./files.mjs";

const { createTLSchema, defaultBindingSchemas, defaultShapeSchemas, parseTldrawJsonFile } =
  await import("tldraw");

const schema = createTLSchema({ shapes: defaultShapeSchemas, bindings: defaultBindingSchemas });
const json = readFileSync(written("tldr"), "utf8");
const parsed = parseTldrawJsonFile({ json, schema });
if (!parsed.ok) throw new Error(JSON.stringify(parsed.error));
const byIndex = (a, b) => (a.index < b.index ? -1 : 1);
const records = parsed.value.allRecords();
const shapes = records.filter((record) => record.typeName === "shape").sort(byIndex);

/** The lines of a rich text, which tldraw made of our plain one. */
const plain = (rich) =>
  rich.content.map((line) => (line.content ?? []).map((run) => run.text).join("")).join("\n");

test("every note is a shape, in its order, with its text", () => {
  assert.deepEqual(shapes.map((shape) => plain(shape.props.richText)), texts(board.stickers));
});

test("places and sizes are ours, or grown to the text", () => {
  for (const [at, shape] of shapes.entries()) {
    const note = board.stickers[at];
    assert.deepEqual([shape.x, shape.y], [note.x, note.y]);
    const { w = 200, h = 200, growY } = shape.props;
    assert.equal(w, note.width);
    assert.ok(h + growY >= note.height, `${note.text}: ${h} + ${growY}`);
    if (note.text.length < 20 && note.width >= 200) assert.equal(h + growY, note.height);
  }
});

test("colours keep their hue", () => {
  const names = shapes.map((shape) => shape.props.color);
  assert.deepEqual(names, [
    "black",
    "light-blue",
    "light-green",
    "blue",
    "white",
    "red",
    "light-green",
    "black",
    "violet",
  ]);
});

test("what tldraw writes of it comes back", () => {
  const file = {
    tldrawFileFormatVersion: 1,
    schema: parsed.value.schema.serialize(),
    records,
  };
  const notes = readBack(JSON.stringify(file), "tldr");
  const wanted = board.stickers.filter((note) => note.text !== "" || note.color === "#ffffff");
  assert.deepEqual(texts(notes), texts(wanted));
  assert.deepEqual(notes.map((note) => [note.x, note.y, note.width]),
    wanted.map((note) => [note.x, note.y, note.width]));
});
