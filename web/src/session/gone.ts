import { text } from "../text/en";
import { wordsOf } from "../wasm/desk_client";
import { Problem } from "./api";
import type { Trouble } from "./report";

/** Why there is no desk to show. */
export interface Gone {
  /** `over`: the server says that it is. `refused` and `unreachable`: it is tried again. */
  kind: "unknown" | "over" | "refused" | "unreachable";
  head: string;
  body: string;
  /** Whether this device has nothing to keep for it. */
  forget: boolean;
}

/** Reasons of the server's for which nobody need try the link again. */
const OVER = ["expired", "deleted", "link_replaced"];

/** Statuses for a link that leads nowhere. */
const UNKNOWN = [400, 404, 422];

/** What a failed request to join means. */
export function failure(error: unknown): Gone {
  const { unknownHead, unknownBody, unreachableHead, unreachableBody, refusedHead } = text.gone;
  if (!(error instanceof Problem)) {
    return { kind: "unreachable", head: unreachableHead, body: unreachableBody, forget: false };
  }
  // A proxy or a sign-in page on the way knows nothing of the desk.
  if (!error.ours) {
    return { kind: "refused", head: refusedHead, body: error.detail, forget: false };
  }
  const trouble = JSON.parse(wordsOf(error.status, error.code)) as Trouble;
  if (error.code === trouble.code && error.code !== "no_desk") {
    const kind = OVER.includes(trouble.code) ? "over" : "refused";
    // A replaced link may have an owner's link beside it, which still works.
    const forget = kind === "over" && trouble.code !== "link_replaced";
    return { kind, head: trouble.head, body: trouble.body, forget };
  }
  if (UNKNOWN.includes(error.status)) {
    return { kind: "unknown", head: unknownHead, body: unknownBody, forget: error.code === "no_desk" };
  }
  return { kind: "refused", head: refusedHead, body: error.detail, forget: false };
}
