import { readingOrder } from "./arrange";
import type { Rect } from "./camera.svelte";

/** A note on its way to the clipboard. */
export interface Cutting extends Rect {
  color: string;
  text: string;
  kind?: number;
}

/** What other programs cannot read: places, sizes and colours, as a desk's JSON. */
export const OWN_TYPE = "application/x-sticker-desk";

/**
 * Puts notes on the clipboard: as notes for a desk, as lines of text for everything else.
 * Answers what it put there as notes. The readers of board files read it (`files/`).
 */
export function write(data: DataTransfer, notes: readonly Cutting[]): string {
  const own = JSON.stringify({ stickers: notes });
  data.setData(OWN_TYPE, own);
  const lines = readingOrder(notes).map((note) => note.text);
  data.setData("text/plain", lines.join(lines.some((line) => line.includes("\n")) ? "\n\n" : "\n"));
  return own;
}
