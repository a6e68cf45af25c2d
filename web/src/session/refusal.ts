import { text } from "../text/text.svelte";
import type { Refusal } from "./report";

/** Why the core refused a call; `undefined`: it is something else that was thrown. */
export function refusalIn(error: unknown): Refusal | undefined {
  try {
    const said = JSON.parse(error instanceof Error ? error.message : "") as Refusal;
    return typeof said.refusal === "string" ? said : undefined;
  } catch {
    return undefined;
  }
}

/** What a person reads about it. */
export function refusalWords(error: unknown): string {
  const { refusal = "fault", found = 0, limit = 0 } = refusalIn(error) ?? {};
  if (refusal === "text_too_long") return text.refusals.text_too_long(found - limit, limit);
  if (refusal === "too_many_notes") return text.refusals.too_many_notes(limit);
  return text.refusals[refusal];
}
