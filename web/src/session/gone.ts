import { text, told } from "../text/text.svelte";
import { wordsOf } from "../wasm/desk_client";
import { Problem } from "./api";
import type { Trouble, Words } from "./report";

/** Why there is no desk to show. */
export interface Gone {
  /** `over`: the server says that it is. `refused` and `unreachable`: it is tried again. */
  kind: "unknown" | "over" | "refused" | "unreachable";
  /** The server's reason, if it is one of ours. */
  trouble?: Trouble;
  /** This person did it. */
  own?: boolean;
  /** The server is reached by an address that is not its own. */
  misled?: boolean;
  /** Whether this device has nothing to keep for it. */
  forget: boolean;
}

/** Reasons of the server's for which nobody need try the link again. */
const OVER = ["expired", "deleted", "link_replaced"];

/** Statuses for a link that leads nowhere. */
const UNKNOWN = [400, 404, 422];
/** The status for an address that is not the server's. */
const MISLED = 421;

/** What a failed request to join means. */
export function failure(error: unknown): Gone {
  if (!(error instanceof Problem)) return { kind: "unreachable", forget: false };
  // A proxy or a sign-in page on the way knows nothing of the desk.
  if (!error.ours) return { kind: "refused", forget: false };
  const trouble = JSON.parse(wordsOf(error.status, error.code)) as Trouble;
  if (error.code === trouble.code && error.code !== "no_desk") {
    const kind = OVER.includes(trouble.code) ? "over" : "refused";
    // A replaced link may have an owner's link beside it, which still works.
    const forget = kind === "over" && trouble.code !== "link_replaced";
    return { kind, trouble, forget };
  }
  if (UNKNOWN.includes(error.status)) return { kind: "unknown", forget: error.code === "no_desk" };
  return { kind: "refused", misled: error.status === MISLED, forget: false };
}

/** What a person reads about it. */
export function goneWords(gone: Gone): Words {
  if (gone.trouble !== undefined) {
    const words = told(gone.trouble);
    return gone.own === true ? { ...words, body: text.gone.deletedByYou } : words;
  }
  const { unknownHead, unknownBody, unreachableHead, unreachableBody } = text.gone;
  if (gone.kind === "unknown") return { head: unknownHead, body: unknownBody };
  if (gone.kind === "unreachable") return { head: unreachableHead, body: unreachableBody };
  const { refusedHead, refusedBody, wrongAddress } = text.gone;
  return { head: refusedHead, body: gone.misled === true ? wrongAddress : refusedBody };
}
