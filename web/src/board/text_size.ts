/** The sizes of a note's text, in board units, largest first. */
const SIZES = [30, 24, 19, 16, 14] as const;
/** Line height and mean width of a character, as shares of the size. */
const LINE = 1.32;
const CHARACTER = 0.54;
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

function fits(text: string, size: number, room: { width: number; height: number }): boolean {
  const lines = Math.floor(room.height / (size * LINE));
  const columns = Math.floor(room.width / (size * CHARACTER));
  if (lines < 1 || columns < 1 || text.length > lines * columns) return false;
  let used = 0;
  for (const line of text.split("\n")) {
    used += Math.max(1, Math.ceil(line.length / columns));
    if (used > lines) return false;
    const longest = line.split(" ").reduce((most, word) => Math.max(most, word.length), 0);
    if (longest > columns && size > 16) return false;
  }
  return true;
}
