/** The sizes of a note's text, in board units, largest first. */
const SIZES = [56, 44, 34, 27, 22, 18, 16, 14, 12] as const;
/** Line height, as a share of the size. */
const LINE = 1.32;
/** From this size down a word longer than a line may be broken. */
const BROKEN_FROM = 16;
/** The paper's inner margin on either side, in board units. */
export const PADDING = 16;
/** Signs of a text that are looked at for its first words: more than a note shows from afar. */
const OPENING_MAX = 120;
/** Signs whose width is kept: more than an alphabet or two, less than all of Unicode. */
const WIDTHS_MAX = 4000;

/** How wide a sign is, as a share of the size. */
export type Advance = (sign: string) => number;

export interface Fit {
  size: number;
  /** Not even the smallest size shows all of it. */
  cut: boolean;
}

/**
 * The largest size at which the text fits its paper. The lines are counted from the widths
 * of the signs: no layout is read, so 2,000 notes cost little.
 */
export function fit(text: string, width: number, height: number, advance: Advance = measured): Fit {
  const room = { width: width - 2 * PADDING, height: height - 2 * PADDING };
  const smallest = SIZES[SIZES.length - 1]!;
  // A text of this many signs needs no measuring: nothing is this narrow.
  const most = (room.width / (smallest * 0.2)) * (room.height / (smallest * LINE));
  if (text.length > Math.max(200, most)) return { size: smallest, cut: true };
  const lines = text.split("\n").map((line) => line.split(" ").map((word) => widthOf(word, advance)));
  const size = SIZES.find((size) => fits(lines, size, room, advance(" ")));
  return { size: size ?? smallest, cut: size === undefined };
}

function widthOf(word: string, advance: Advance): number {
  let width = 0;
  for (const sign of word) width += advance(sign);
  return width;
}

/** Breaks the text at its spaces, as the browser will, and counts the lines. */
function fits(
  lines: readonly (readonly number[])[],
  size: number,
  room: { width: number; height: number },
  space: number,
): boolean {
  const most = Math.floor(room.height / (size * LINE));
  // A little less than there is: kerning and rounding are not counted.
  const wide = (room.width - 1) / size;
  let used = 0;
  for (const words of lines) {
    let filled = 0;
    used += 1;
    for (const word of words) {
      // A long word is broken in the middle only when no size spares it.
      if (word > wide && size > BROKEN_FROM) return false;
      const next = filled === 0 ? word : filled + space + word;
      if (next <= wide) {
        filled = next;
      } else {
        used += filled === 0 ? 0 : 1;
        used += Math.max(0, Math.ceil(word / wide) - 1);
        filled = word % wide;
      }
    }
    if (used > most) return false;
  }
  return used <= most;
}

/**
 * The first words of a text in so many lines of this width, in shares of the size; the last
 * line ends in "…" where there is more.
 */
export function opening(text: string, width: number, most: number, advance: Advance = measured): string[] {
  const words = text.trim().slice(0, OPENING_MAX).split(/\s+/);
  const lines: string[] = [];
  let at = 0;
  while (at < words.length && lines.length < most) {
    let line = words[at++]!;
    while (at < words.length && widthOf(`${line} ${words[at]!}`, advance) <= width) line += ` ${words[at++]!}`;
    lines.push(line);
  }
  const last = lines.length - 1;
  return lines.map((line, number) => {
    const sign = number === last && (at < words.length || widthOf(line, advance) > width) ? "…" : "";
    return shortened(line, sign, width, advance);
  });
}

/** As much of a line as fits before the sign. */
function shortened(line: string, sign: string, width: number, advance: Advance): string {
  const signs = [...line];
  while (signs.length > 1 && widthOf(signs.join("") + sign, advance) > width) signs.pop();
  return signs.join("").trimEnd() + sign;
}

let widths = new Map<string, number>();
let context: CanvasRenderingContext2D | null | undefined;

/** As the page's font draws it; once that is loaded, for good. */
function measured(sign: string): number {
  const known = widths.get(sign);
  if (known !== undefined) return known;
  if (context === undefined) {
    context = document.createElement("canvas").getContext("2d");
    if (context !== null) {
      context.font = `450 100px ${getComputedStyle(document.body).fontFamily}`;
    }
  }
  const width = (context?.measureText(sign).width ?? 55) / 100;
  if (widths.size > WIDTHS_MAX) widths = new Map();
  widths.set(sign, width);
  return width;
}

/** The font has come: what was measured with another is forgotten. */
export function forgetWidths(): void {
  widths = new Map();
}
