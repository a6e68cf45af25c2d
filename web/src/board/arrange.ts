import { bounds, meet, type Point, type Rect } from "./camera.svelte";

/** Between two notes that are put beside each other, in board units. */
export const GAP = 24;
/** How many notes away a free place is looked for. */
const REACH = 30;

export type Side = "left" | "right" | "above" | "below";

/** A note's rectangle, under its id. */
export interface Piece extends Rect {
  id: string;
}

/** Where notes are put: under their ids. */
export type Places = Map<string, Point>;

export type Edge = "left" | "center" | "right" | "top" | "middle" | "bottom";

/** The place beside `rect` on this side. */
export function beside(rect: Rect, side: Side): Rect {
  const [dx, dy] = WAYS[side];
  return { ...rect, x: rect.x + dx * (rect.width + GAP), y: rect.y + dy * (rect.height + GAP) };
}

const WAYS: Record<Side, readonly [number, number]> = {
  left: [-1, 0],
  right: [1, 0],
  above: [0, -1],
  below: [0, 1],
};

/**
 * The free place nearest to `wanted`, on a grid of notes of this size around it. Of two
 * equally near ones the one to the right is taken, then the one below.
 */
export function freePlace(wanted: Rect, taken: readonly Rect[]): Point {
  const [wide, high] = [wanted.width + GAP, wanted.height + GAP];
  const reach: Rect = {
    x: wanted.x - REACH * wide,
    y: wanted.y - REACH * high,
    width: 2 * REACH * wide,
    height: 2 * REACH * high,
  };
  const near = taken.filter((rect) => meet(rect, reach));
  for (const [dx, dy] of RINGS) {
    const place = { ...wanted, x: wanted.x + dx * wide, y: wanted.y + dy * high };
    const air = { ...place, x: place.x - 4, y: place.y - 4, width: place.width + 8, height: place.height + 8 };
    if (!near.some((rect) => meet(rect, air))) return { x: place.x, y: place.y };
  }
  return { x: wanted.x, y: wanted.y };
}

/** Steps on a grid, the nearest first. */
const RINGS: readonly (readonly [number, number])[] = (() => {
  const steps: [number, number][] = [];
  for (let dx = -REACH; dx <= REACH; dx++) {
    for (let dy = -REACH; dy <= REACH; dy++) steps.push([dx, dy]);
  }
  const cost = ([dx, dy]: [number, number]): number =>
    Math.hypot(dx, dy) + (dx < 0 ? 0.3 : 0) + (dy < 0 ? 0.2 : 0) + (dy > 0 ? 0.1 : 0);
  return steps.sort((a, b) => cost(a) - cost(b));
})();

/** Puts all on one line: an edge of the rectangle around them, or its middle. */
export function align(pieces: readonly Piece[], edge: Edge): Places {
  const all = bounds(pieces);
  const places: Places = new Map();
  if (all === undefined) return places;
  for (const { id, x, y, width, height } of pieces) {
    const at = {
      left: { x: all.x, y },
      center: { x: all.x + (all.width - width) / 2, y },
      right: { x: all.x + all.width - width, y },
      top: { x, y: all.y },
      middle: { x, y: all.y + (all.height - height) / 2 },
      bottom: { x, y: all.y + all.height - height },
    }[edge];
    places.set(id, whole(at));
  }
  return places;
}

/** Makes the gaps between them equal; the first and the last stay. */
export function distribute(pieces: readonly Piece[], way: "across" | "down"): Places {
  const [at, side] = way === "across" ? (["x", "width"] as const) : (["y", "height"] as const);
  const row = [...pieces].sort((a, b) => a[at] + a[side] / 2 - (b[at] + b[side] / 2));
  const places: Places = new Map();
  const [first, last] = [row[0], row.at(-1)];
  if (first === undefined || last === undefined) return places;
  const filled = row.reduce((sum, piece) => sum + piece[side], 0);
  const gap = (last[at] + last[side] - first[at] - filled) / Math.max(1, row.length - 1);
  let next = first[at];
  for (const piece of row) {
    places.set(piece.id, whole({ x: piece.x, y: piece.y, [at]: next }));
    next += piece[side] + gap;
  }
  return places;
}

/** Puts them into rows and columns, in reading order, from the top left corner. */
export function tidy(pieces: readonly Piece[]): Places {
  const places: Places = new Map();
  const all = bounds(pieces);
  if (all === undefined) return places;
  const wide = Math.max(...pieces.map((piece) => piece.width)) + GAP;
  const high = Math.max(...pieces.map((piece) => piece.height)) + GAP;
  // About as wide for its height as it was.
  const ratio = Math.min(4, Math.max(0.25, (all.width / wide / (all.height / high)) || 1));
  const columns = Math.max(1, Math.min(pieces.length, Math.round(Math.sqrt(pieces.length * ratio))));
  readingOrder(pieces).forEach(({ id }, index) => {
    const [column, row] = [index % columns, Math.floor(index / columns)];
    places.set(id, whole({ x: all.x + column * wide, y: all.y + row * high }));
  });
  return places;
}

/** Row by row from the left: notes are in one row if their middles nearly are. */
export function readingOrder<T extends Rect>(pieces: readonly T[]): T[] {
  const down = [...pieces].sort((a, b) => a.y + a.height / 2 - (b.y + b.height / 2));
  const rows: T[][] = [];
  let bottom = -Infinity;
  for (const piece of down) {
    const middle = piece.y + piece.height / 2;
    if (middle > bottom) {
      rows.push([]);
      bottom = middle + piece.height / 2;
    }
    rows.at(-1)!.push(piece);
  }
  return rows.flatMap((row) => row.sort((a, b) => a.x - b.x));
}

function whole({ x, y }: Point): Point {
  return { x: Math.round(x), y: Math.round(y) };
}
