import { AREA } from "../session/note.svelte";
import type { NewNote } from "../session/session.svelte";
import { bounds, type Point, type Rect } from "./camera.svelte";

/** The sides of an area, in board units: two notes beside each other, and their air. */
export const AREA_WIDTH = 480;
export const AREA_HEIGHT = 640;
/** From one area to the next. */
const AIR = 32;

export type TemplateName = "retrospective" | "kanban" | "square" | "brainstorm";

export const TEMPLATES: readonly TemplateName[] = ["retrospective", "kanban", "square", "brainstorm"];

/** An area by its column and row, how many of them it spans, and its paper. */
type Cell = readonly [column: number, row: number, columns: number, rows: number, color: string];

const [BUTTER, PEACH, ROSE, LILAC, SKY, MINT] = ["#ffe066", "#ffc59e", "#ffb3c4", "#dcc6ff", "#a9d8ff", "#aeeacb"] as const;

const CELLS: Record<TemplateName, readonly Cell[]> = {
  retrospective: [
    [0, 0, 1, 2, MINT],
    [1, 0, 1, 2, ROSE],
    [2, 0, 1, 2, SKY],
  ],
  kanban: [
    [0, 0, 1, 2, BUTTER],
    [1, 0, 1, 2, SKY],
    [2, 0, 1, 2, MINT],
  ],
  square: [
    [0, 0, 1, 1, MINT],
    [1, 0, 1, 1, SKY],
    [0, 1, 1, 1, BUTTER],
    [1, 1, 1, 1, ROSE],
  ],
  brainstorm: [
    [0, 0, 3, 1, LILAC],
    [0, 1, 2, 2, BUTTER],
    [2, 1, 1, 2, PEACH],
  ],
};

/** The height of a row: two rows and their air are as high as an area. */
const ROW = (AREA_HEIGHT - AIR) / 2 + 64;

/** The areas of a template around `middle`, with these headings. */
export function template(name: TemplateName, headings: readonly string[], middle: Point): NewNote[] {
  const rects = CELLS[name].map(([column, row, columns, rows, color]) => ({
    x: column * (AREA_WIDTH + AIR),
    y: row * (ROW + AIR),
    width: columns * (AREA_WIDTH + AIR) - AIR,
    height: rows * (ROW + AIR) - AIR,
    color,
  }));
  const all: Rect = bounds(rects)!;
  const [dx, dy] = [Math.round(middle.x - all.width / 2), Math.round(middle.y - all.height / 2)];
  return rects.map((rect, at) => ({
    ...rect,
    x: rect.x + dx,
    y: rect.y + dy,
    text: headings[at] ?? "",
    kind: AREA,
  }));
}
