/** A part of a note's text: plain words, or an address that can be opened. */
export interface Words {
  text: string;
  href?: string;
}

/** What ends an address in running text is not part of it: a full stop, a bracket. */
const ADDRESS = /\bhttps?:\/\/[^\s<>"“”«»]*[^\s<>"“”«».,;:!?'’)\]}]/gi;

/** Finds the addresses in a text. */
export function wordsOf(text: string): Words[] {
  const parts: Words[] = [];
  let done = 0;
  for (const match of text.matchAll(ADDRESS)) {
    if (!URL.canParse(match[0])) continue;
    if (match.index > done) parts.push({ text: text.slice(done, match.index) });
    parts.push({ text: match[0], href: match[0] });
    done = match.index + match[0].length;
  }
  if (done < text.length) parts.push({ text: text.slice(done) });
  return parts;
}

/** The text, cut where carets stand; each of them counts characters. */
export function cutAt<T extends { caret: number }>(
  text: string,
  carets: readonly T[],
): { text: string; carets: T[] }[] {
  const characters = [...text];
  const sorted = [...carets].sort((a, b) => a.caret - b.caret);
  const parts: { text: string; carets: T[] }[] = [];
  let done = 0;
  for (const one of sorted) {
    const at = Math.min(one.caret, characters.length);
    const last = parts.at(-1);
    if (last !== undefined && at === done) {
      last.carets.push(one);
      continue;
    }
    parts.push({ text: characters.slice(done, at).join(""), carets: [one] });
    done = at;
  }
  parts.push({ text: characters.slice(done).join(""), carets: [] });
  return parts;
}
