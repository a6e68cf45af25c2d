/** The sizes of a note's text, in board units, largest first. */
const SIZES = [27, 22, 18, 16, 14] as const;
/** Line height and mean width of a character, as shares of the size. */
const LINE = 1.32;
const CHARACTER = 0.53;
/** From this size down a word longer than a line may be broken. */
const BROKEN_FROM = 16;
/** The paper's inner margin on either side, in board units. */
export const PADDING = 16;

/**
 * The largest size at which the text should fit its paper, by estimate: no
 * layout is read, so 2,000 notes cost nothing.
 */
export function textSize(text: string, width: number, height: number): number {
  const room = { width: width - 2 * PADDING, height: height - 2 * PADDING };
  return SIZES.find((size) => fits(text, size, room)) ?? SIZES[SIZES.length - 1]!;
}

/** Breaks the text at its spaces, as the browser will, and counts the lines. */
function fits(text: string, size: number, room: { width: number; height: number }): boolean {
  const lines = Math.floor(room.height / (size * LINE));
  const columns = Math.floor(room.width / (size * CHARACTER));
  if (lines < 1 || columns < 1 || text.length > lines * columns) return false;
  let used = 0;
  for (const line of text.split("\n")) {
    let filled = 0;
    used += 1;
    for (const word of line.split(" ")) {
      // A long word is broken in the middle only when no size spares it.
      if (word.length > columns && size > BROKEN_FROM) return false;
      const next = filled === 0 ? word.length : filled + 1 + word.length;
      if (next <= columns) {
        filled = next;
      } else {
        used += filled === 0 ? 0 : 1;
        used += Math.floor(word.length / (columns + 1));
        filled = word.length % (columns + 1);
      }
    }
    if (used > lines) return false;
  }
  return true;
}
