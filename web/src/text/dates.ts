/** A day and a time of day, in the reader's language. */
export function dateTime(milliseconds: number): string {
  return new Date(milliseconds).toLocaleString(undefined, { dateStyle: "long", timeStyle: "short" });
}

/** A day, in the reader's language. */
export function day(milliseconds: number): string {
  return new Date(milliseconds).toLocaleDateString(undefined, { dateStyle: "long" });
}
