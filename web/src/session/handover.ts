import type { InitAnswer } from "./api";

/** The session made on the start page, on its way to the desk's page in the same tab. */
const KEY = "sticker-desk.new";

export function stowNewDesk(answer: InitAnswer): void {
  try {
    sessionStorage.setItem(KEY, JSON.stringify(answer));
  } catch {
    // Without it the desk's page joins by the owner's link as a client of its own.
  }
}

/** Takes it out, if it is for this desk. */
export function takeNewDesk(id: string): InitAnswer | undefined {
  try {
    const saved = sessionStorage.getItem(KEY);
    if (saved === null) return undefined;
    sessionStorage.removeItem(KEY);
    const answer = JSON.parse(saved) as InitAnswer;
    return answer.desk_id === id ? answer : undefined;
  } catch {
    return undefined;
  }
}
