import type { Point, Rect } from "./camera.svelte";

/** From the window's edges. */
const EDGE = 12;
/** Below the top bars. */
const TOP = 64;
/** Above the tool bar. */
const BOTTOM = 72;
/** Who reads or writes the selected note wants it whole, before any other. */
const OWN_WEIGHT = 3;

/**
 * Where the tools of the selected notes lie, in pixels: beside them, where they cover the
 * least of what others wrote. Above is taken first, then below, then the sides.
 *
 * `gap`: from the notes to the tools. `others`: all other notes in sight.
 */
export function toolsPlace(
  notes: Rect,
  tools: { width: number; height: number },
  window: { width: number; height: number },
  gap: number,
  others: readonly Rect[],
): Point {
  const right = notes.x + notes.width;
  const middle = notes.x + (notes.width - tools.width) / 2;
  const columns = [middle, notes.x, right - tools.width];
  const level = notes.y + (notes.height - tools.height) / 2;
  const places = [
    ...columns.map((x) => ({ x, y: notes.y - gap - tools.height })),
    ...columns.map((x) => ({ x, y: notes.y + notes.height + gap })),
    { x: right + gap, y: level },
    { x: notes.x - gap - tools.width, y: level },
  ].map((place) => within(place, tools, window));
  const cost = ({ x, y }: Point): number => {
    const bar = { x, y, ...tools };
    return others.reduce((sum, rect) => sum + shared(bar, rect), OWN_WEIGHT * shared(bar, notes));
  };
  let best = places[0]!;
  let least = cost(best);
  for (const place of places.slice(1)) {
    const covered = cost(place);
    // A few pixels are not worth another place.
    if (covered < least - tools.height * 4) [best, least] = [place, covered];
  }
  return best;
}

function within(
  { x, y }: Point,
  tools: { width: number; height: number },
  window: { width: number; height: number },
): Point {
  const lowest = Math.max(TOP, window.height - tools.height - BOTTOM);
  return {
    x: Math.min(Math.max(EDGE, x), Math.max(EDGE, window.width - tools.width - EDGE)),
    y: Math.min(Math.max(TOP, y), lowest),
  };
}

/** The area that two rectangles have in common. */
function shared(a: Rect, b: Rect): number {
  const wide = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
  const high = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
  return wide > 0 && high > 0 ? wide * high : 0;
}
