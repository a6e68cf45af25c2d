import { readingOrder } from "../board/arrange";
import type { NoteRecord } from "../session/note.svelte";

/** The texts of notes in the order in which one reads them. */
export function allTexts(notes: Iterable<NoteRecord>): string {
  const said = [...notes].filter((note) => note.text.trim() !== "");
  return readingOrder(said)
    .map((note) => note.text)
    .join("\n\n");
}

/** The desk as this device has it, as a file that can be imported. */
export function deskFile(title: string, notes: Iterable<NoteRecord>): Blob {
  const stickers = [...notes]
    .sort((a, b) => a.z - b.z)
    .map(({ id, x, y, width, height, color, z, text, author }) => ({ id, x, y, width, height, color, z, text, author }));
  return new Blob([JSON.stringify({ title, stickers }, null, 1)], { type: "application/json" });
}

/** Gives a file to the person. */
export function saveFile(file: Blob, title: string, ending: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = `${fileName(title)}.${ending}`;
  link.click();
  // The browser has taken hold of it by then.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** The title as the name of a file, wherever it is saved. */
function fileName(title: string): string {
  return title.replace(/[\p{Cc}/\\:*?"<>|]+/gu, " ").trim().replace(/^\.+/, "").slice(0, 80) || "desk";
}
