/** A rectangle on the board, in board units. */
export interface Rect {
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface Point {
  x: number;
  y: number;
}

/** How far out the wheel and the keys zoom. To show all notes the camera goes out further. */
const SCALE_MIN = 0.1;
const SCALE_MAX = 4;
/** Below this scale nobody reads what is being written. */
const READABLE = 0.6;
/** Air around the content when all of it is shown, in screen pixels. */
const FIT_MARGIN = 88;

/** What part of the board the window shows. */
export class Camera {
  /** Where the board's origin lies, in pixels from the window's corner. */
  x = $state(0);
  y = $state(0);
  /** Pixels a board unit. */
  scale = $state(1);
  /** The window's size, in pixels. */
  width = $state(1);
  height = $state(1);

  toBoard(screen: Point): Point {
    return { x: (screen.x - this.x) / this.scale, y: (screen.y - this.y) / this.scale };
  }

  toScreen(board: Point): Point {
    return { x: board.x * this.scale + this.x, y: board.y * this.scale + this.y };
  }

  /** The board's point in the middle of the window. */
  center(): Point {
    return this.toBoard({ x: this.width / 2, y: this.height / 2 });
  }

  panBy(dx: number, dy: number): void {
    this.x += dx;
    this.y += dy;
  }

  /** Zooms, keeping what is under `at` where it is. */
  zoomAt(at: Point, factor: number): void {
    const least = Math.min(SCALE_MIN, this.scale);
    const scale = Math.min(SCALE_MAX, Math.max(least, this.scale * factor));
    const ratio = scale / this.scale;
    this.x = at.x - (at.x - this.x) * ratio;
    this.y = at.y - (at.y - this.y) * ratio;
    this.scale = scale;
  }

  zoomCenter(factor: number): void {
    this.zoomAt({ x: this.width / 2, y: this.height / 2 }, factor);
  }

  /** Puts a point of the board into the middle of the window. */
  show(middle: Point, scale: number): void {
    this.scale = Math.min(SCALE_MAX, scale);
    this.x = this.width / 2 - middle.x * this.scale;
    this.y = this.height / 2 - middle.y * this.scale;
  }

  /** Shows all of `rects`; an empty board is centred on its origin. */
  fit(rects: Iterable<Rect>, scaleMax = 1): void {
    const edges = bounds(rects);
    if (edges === undefined) {
      this.scale = 1;
      this.x = this.width / 2;
      this.y = this.height / 2;
      return;
    }
    const margin = Math.min(FIT_MARGIN, this.width / 8);
    const scale = Math.min(
      scaleMax,
      (this.width - 2 * margin) / edges.width,
      (this.height - 2 * FIT_MARGIN) / edges.height,
    );
    this.scale = scale;
    this.x = this.width / 2 - (edges.x + edges.width / 2) * this.scale;
    this.y = this.height / 2 - (edges.y + edges.height / 2) * this.scale;
  }

  /** Comes close enough to a note to write in it. */
  approach(rect: Rect): void {
    if (this.scale < READABLE) {
      const middle = { x: rect.x + rect.width / 2, y: rect.y + rect.height / 2 };
      const room = Math.min(this.width / rect.width, this.height / rect.height) * 0.8;
      this.scale = Math.min(1, room);
      this.x = this.width / 2 - middle.x * this.scale;
      // In the upper half: a phone's keyboard takes the lower.
      this.y = this.height * 0.4 - middle.y * this.scale;
    }
    this.reveal(rect);
  }

  /** Whether a part of `rect` is in the window. */
  shows(rect: Rect): boolean {
    const from = this.toBoard({ x: 0, y: 0 });
    return meet(rect, { ...from, width: this.width / this.scale, height: this.height / this.scale });
  }

  /** Pans as little as shows the whole of `rect`, so that focus is never out of sight. */
  reveal(rect: Rect, margin = 72): void {
    const from = this.toScreen(rect);
    const to = this.toScreen({ x: rect.x + rect.width, y: rect.y + rect.height });
    this.panBy(
      nudge(from.x, to.x, margin, this.width - margin),
      nudge(from.y, to.y, margin, this.height - margin),
    );
  }
}

function nudge(from: number, to: number, low: number, high: number): number {
  if (from < low) return low - from;
  if (to > high) return Math.max(high - to, low - from);
  return 0;
}

/** Whether two rectangles have a point in common. */
export function meet(a: Rect, b: Rect): boolean {
  return (
    a.x <= b.x + b.width && b.x <= a.x + a.width && a.y <= b.y + b.height && b.y <= a.y + a.height
  );
}

/** Whether a point lies in a rectangle. */
export function inside({ x, y }: Point, rect: Rect): boolean {
  return x >= rect.x && x <= rect.x + rect.width && y >= rect.y && y <= rect.y + rect.height;
}

/** The smallest rectangle around all of `rects`. */
export function bounds(rects: Iterable<Rect>): Rect | undefined {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const rect of rects) {
    left = Math.min(left, rect.x);
    top = Math.min(top, rect.y);
    right = Math.max(right, rect.x + rect.width);
    bottom = Math.max(bottom, rect.y + rect.height);
  }
  if (left > right) return undefined;
  return { x: left, y: top, width: right - left, height: bottom - top };
}
