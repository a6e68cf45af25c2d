import { text } from "../text/text.svelte";
import type { UnsavedRecord } from "./report";

/** A change that the server refused, for the person to copy. */
export interface UnsavedChange {
  number: number;
  reason: string;
  text: string;
}

/** What the person reads about it. */
export function describeUnsaved(unsaved: UnsavedRecord): UnsavedChange {
  return {
    number: unsaved.number,
    reason: text.unsaved[unsaved.kind],
    text: unsaved.notes
      .map((note) => note.text)
      .filter((words) => words.trim() !== "")
      .join("\n\n"),
  };
}
