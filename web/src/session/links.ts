import { deskUrl, type InitAnswer } from "./api";
import { recentDesk } from "./recent";

/** The links that this tab knows, by role. */
export interface Links {
  editor?: string;
  viewer?: string;
  owner?: string;
}

/** What is known at first; the owner's page asks the server for others. */
export function knownLinks(id: string, role: string, answer?: InitAnswer): Links {
  const owner = recentDesk(id)?.owner;
  const here = answer?.link ?? deskUrl(id);
  if (owner !== undefined) {
    const isMade = answer?.owner_link !== undefined;
    return {
      editor: isMade ? here : deskUrl(id),
      owner: answer?.owner_link ?? deskUrl(owner),
    };
  }
  if (role === "owner") return { owner: here };
  if (role === "viewer") return { viewer: here };
  return { editor: here };
}
