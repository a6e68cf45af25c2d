import type { Rect } from "./camera.svelte";

/** What an area may carry, or what carries. */
interface Piece {
  readonly id: string;
  readonly isArea: boolean;
  readonly rect: Rect;
}

/** These pieces, and of `all` those whose middle lies in one of their areas. */
export function carried<P extends Piece>(pieces: readonly P[], all: readonly P[]): P[] {
  const areas = pieces.filter((piece) => piece.isArea).map((piece) => piece.rect);
  if (areas.length === 0) return [...pieces];
  const ids = new Set(pieces.map((piece) => piece.id));
  const more = all.filter((piece) => !ids.has(piece.id) && areas.some((area) => holds(area, piece.rect)));
  return [...pieces, ...more];
}

/** Whether the middle of `rect` lies in an area. */
function holds(area: Rect, { x, y, width, height }: Rect): boolean {
  const [middle, half] = [x + width / 2, y + height / 2];
  return middle >= area.x && middle < area.x + area.width && half >= area.y && half < area.y + area.height;
}

/** Whether `rect` lies in `around`, all of it. */
export function within(rect: Rect, around: Rect): boolean {
  return (
    rect.x >= around.x &&
    rect.y >= around.y &&
    rect.x + rect.width <= around.x + around.width &&
    rect.y + rect.height <= around.y + around.height
  );
}
