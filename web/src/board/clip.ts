import { GAP, readingOrder } from "./arrange";
import { bounds, type Point, type Rect } from "./camera.svelte";

/** A note on its way through the clipboard. */
export interface Cutting extends Rect {
  color: string;
  text: string;
}

/** What other programs cannot read: places, sizes and colours. */
const TYPE = "application/x-sticker-desk";
/** Notes that one paste makes at most. */
const NOTES_MAX = 2000;
/** The side of a pasted note, in board units: the protocol's default. */
const SIDE = 200;
const SIDE_MIN = 20;
const SIDE_MAX = 4000;
const PLACE_MAX = 1_000_000;

/** Puts notes on the clipboard: as notes for a desk, as lines of text for everything else. */
export function write(data: DataTransfer, notes: readonly Cutting[]): void {
  data.setData(TYPE, JSON.stringify(notes));
  const lines = readingOrder(notes).map((note) => note.text);
  data.setData("text/plain", lines.join(lines.some((line) => line.includes("\n")) ? "\n\n" : "\n"));
}

/** What is to be pasted around the point `at`: notes of a desk, or lines, or cells. */
export function read(data: DataTransfer, color: string, at: Point): Cutting[] {
  return around(notesIn(data.getData(TYPE)) ?? table(cells(data.getData("text/plain")), color), at);
}

/** Notes of a desk; anybody may have written them. */
function notesIn(json: string): Cutting[] | undefined {
  if (json === "") return undefined;
  try {
    const found: unknown = JSON.parse(json);
    if (!Array.isArray(found)) return undefined;
    return found.slice(0, NOTES_MAX).map((note: Partial<Cutting>) => ({
      x: place(note.x),
      y: place(note.y),
      width: side(note.width),
      height: side(note.height),
      color: /^#[0-9a-f]{6}$/.test(String(note.color)) ? String(note.color) : "#ffe066",
      text: String(note.text ?? ""),
    }));
  } catch {
    return undefined;
  }
}

function place(value: unknown): number {
  return Math.round(Math.min(PLACE_MAX, Math.max(-PLACE_MAX, Number(value) || 0)));
}

function side(value: unknown): number {
  return Math.round(Math.min(SIDE_MAX, Math.max(SIDE_MIN, Number(value) || SIDE)));
}

/** Rows of cells, as spreadsheets copy them: tabs between cells, quotes around line breaks. */
export function cells(plain: string): string[][] {
  const tabs = plain.includes("\t");
  const rows: string[][] = [[]];
  const cell = /(?:"((?:[^"]|"")*)"(?=[\t\r\n]|$)|([^\t\r\n]*))(\t|\r\n|\n|\r|$)/gy;
  const line = /()([^\r\n]*)(\r\n|\n|\r|$)/gy;
  for (const [whole, quoted, bare, end] of plain.matchAll(tabs ? cell : line)) {
    rows.at(-1)!.push((quoted?.replaceAll('""', '"') || bare || "").trim());
    if (end !== "\t" && end !== "") rows.push([]);
    if (whole === "" || end === "") break;
  }
  return rows.filter((row) => row.some((text) => text !== ""));
}

/** Cells as notes in a grid; lines alone fill rows of a square. */
function table(rows: string[][], color: string): Cutting[] {
  const lines = rows.every((row) => row.length === 1);
  const columns = lines ? Math.ceil(Math.sqrt(rows.length)) : 0;
  const step = SIDE + GAP;
  return rows
    .flatMap((row, down) =>
      row.map((text, across) => {
        const [x, y] = lines ? [down % columns, Math.floor(down / columns)] : [across, down];
        return { x: x * step, y: y * step, width: SIDE, height: SIDE, color, text };
      }),
    )
    .filter((note) => note.text !== "")
    .slice(0, NOTES_MAX);
}

function around(notes: Cutting[], at: Point): Cutting[] {
  const all = bounds(notes);
  if (all === undefined) return [];
  const dx = Math.round(at.x - all.x - all.width / 2);
  const dy = Math.round(at.y - all.y - all.height / 2);
  return notes.map((note) => ({ ...note, x: note.x + dx, y: note.y + dy }));
}
