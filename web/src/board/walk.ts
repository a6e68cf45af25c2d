import { readingOrder } from "./arrange";
import { bounds, type Point, type Rect } from "./camera.svelte";

/** A note that the keyboard can go to. */
export interface Stop extends Rect {
  id: string;
}

/** A neighbour sideways counts as so many times farther than one straight ahead. */
const ASIDE = 3;

/** The nearest note in a direction, from the middle of `from`; `undefined`: there is none. */
export function neighbour(from: Stop, way: Point, stops: readonly Stop[]): string | undefined {
  const start = middle(from);
  let found: { id: string; far: number } | undefined;
  for (const stop of stops) {
    if (stop.id === from.id) continue;
    const to = middle(stop);
    const [dx, dy] = [to.x - start.x, to.y - start.y];
    const ahead = dx * way.x + dy * way.y;
    const aside = Math.abs(dx * way.y) + Math.abs(dy * way.x);
    // Of notes that lie on one place each is reached: by its id.
    const isHere = dx === 0 && dy === 0 && (stop.id > from.id) === (way.x + way.y > 0);
    if (ahead <= 0 && !isHere) continue;
    if (aside > ahead * ASIDE && !isHere) continue;
    const far = ahead + ASIDE * aside;
    if (found === undefined || far < found.far) found = { id: stop.id, far };
  }
  return found?.id;
}

/** The note nearest to a point. */
export function nearest(at: Point, stops: readonly Stop[]): string | undefined {
  let found: { id: string; far: number } | undefined;
  for (const stop of stops) {
    const { x, y } = middle(stop);
    const far = Math.hypot(x - at.x, y - at.y);
    if (found === undefined || far < found.far) found = { id: stop.id, far };
  }
  return found?.id;
}

/** The first note as one reads, or the last. */
export function edge(end: "first" | "last", stops: readonly Stop[]): string | undefined {
  return readingOrder(stops).at(end === "first" ? 0 : -1)?.id;
}

/** Where a note lies among all: its number as one reads, and its ninth of the desk. */
export function standing(stop: Stop, stops: readonly Stop[]): { number: number; column: Third; row: Third } {
  const all = bounds(stops) ?? stop;
  const { x, y } = middle(stop);
  const number = readingOrder(stops).findIndex(({ id }) => id === stop.id) + 1;
  return { number, column: third(x - all.x, all.width), row: third(y - all.y, all.height) };
}

export type Third = 0 | 1 | 2;

function third(at: number, whole: number): Third {
  return Math.min(2, Math.max(0, Math.floor((3 * at) / Math.max(1, whole)))) as Third;
}

function middle({ x, y, width, height }: Rect): Point {
  return { x: x + width / 2, y: y + height / 2 };
}
