import type { Point, Rect } from "./camera.svelte";

/** A line that shows what a drag holds to: along y at this x, or along x at this y. */
export interface Guide {
  upright: boolean;
  at: number;
  from: number;
  to: number;
}

export interface Snap {
  /** So much further than the hand. */
  by: Point;
  guides: Guide[];
}

/** One direction of a rectangle, and the other one across. */
interface Span {
  start: number;
  size: number;
  across: { start: number; size: number };
}

/** A place that a span may be put to, and the lines that tell why. */
interface Hold {
  by: number;
  guides: (upright: boolean) => Guide[];
}

/**
 * Where a dragged rectangle holds to others that are near: edges and middles in one line,
 * or gaps as wide as those between two others. `reach`: how near, in board units.
 */
export function snap(rect: Rect, others: readonly Rect[], reach: number): Snap {
  const x = nearest(span(rect, true), others.map((other) => span(other, true)), reach);
  const moved = { ...rect, x: rect.x + (x?.by ?? 0) };
  const y = nearest(span(moved, false), others.map((other) => span(other, false)), reach);
  return {
    by: { x: x?.by ?? 0, y: y?.by ?? 0 },
    guides: [...(x?.guides(true) ?? []), ...(y?.guides(false) ?? [])],
  };
}

function span({ x, y, width, height }: Rect, along: boolean): Span {
  const [wide, high] = [{ start: x, size: width }, { start: y, size: height }];
  return along ? { ...wide, across: high } : { ...high, across: wide };
}

function nearest(mine: Span, others: readonly Span[], reach: number): Hold | undefined {
  let best: Hold | undefined;
  const consider = (hold: Hold): void => {
    const far = Math.abs(hold.by);
    if (far <= reach && (best === undefined || far < Math.abs(best.by))) best = hold;
  };
  for (const other of others) {
    for (const part of [0, 0.5, 1]) {
      for (const theirs of [0, 0.5, 1]) {
        // A middle holds to a middle, an edge to an edge.
        if ((part === 0.5) !== (theirs === 0.5)) continue;
        const at = other.start + theirs * other.size;
        consider({ by: at - (mine.start + part * mine.size), guides: (upright) => [line(mine, other, at, upright)] });
      }
    }
  }
  for (const [first, second] of neighbours(mine, others)) {
    const gap = second.start - end(first);
    const room = (start: number): Hold => ({
      by: start - mine.start,
      guides: (upright) => gaps([first, second, { ...mine, start }], upright),
    });
    consider(room(end(second) + gap));
    consider(room(first.start - gap - mine.size));
    if (gap > mine.size) consider(room(end(first) + (gap - mine.size) / 2));
  }
  return best;
}

function end({ start, size }: { start: number; size: number }): number {
  return start + size;
}

/** Pairs that follow one another, of those beside which the dragged one lies. */
function neighbours(mine: Span, others: readonly Span[]): [Span, Span][] {
  const beside = others.filter(
    ({ across }) => across.start < end(mine.across) && end(across) > mine.across.start,
  );
  beside.sort((a, b) => a.start - b.start);
  return beside.slice(1).flatMap((second, at): [Span, Span][] => {
    const first = beside[at]!;
    return second.start > end(first) ? [[first, second]] : [];
  });
}

function line(mine: Span, other: Span, at: number, upright: boolean): Guide {
  return {
    upright,
    at,
    from: Math.min(mine.across.start, other.across.start),
    to: Math.max(end(mine.across), end(other.across)),
  };
}

/** The two gaps between three spans, as lines across the way. */
function gaps(spans: Span[], upright: boolean): Guide[] {
  const [a, b, c] = spans.sort((one, other) => one.start - other.start) as [Span, Span, Span];
  const middle = ({ across }: Span): number => across.start + across.size / 2;
  return [
    { upright: !upright, at: middle(b), from: end(a), to: b.start },
    { upright: !upright, at: middle(b), from: end(b), to: c.start },
  ];
}
