/** Where the server can be reached beside the page's own address, as `init` tells it. */
export interface Place {
  webtransport: string;
  /** SHA-256 of self-made certificates, base64; empty: an authority vouches for it. */
  certificates: string[];
  /** When the server told, in milliseconds since 1970. */
  at: number;
}

/** The part of `init`'s answer about it. */
export interface Collaboration {
  webtransport?: string | null;
  certificates?: string[];
}

const KEPT = "sticker-desk.webtransport";

/**
 * How long the hashes hold, in milliseconds: the next certificate is told five days before
 * it is used.
 */
const HOLDS_MS = 5 * 24 * 3_600_000;

/** Keeps what the server told, for the next line and the next visit. */
export function learnPlace(told: Collaboration | undefined): void {
  if (told === undefined) return;
  const { webtransport, certificates = [] } = told;
  try {
    if (typeof webtransport !== "string") localStorage.removeItem(KEPT);
    else localStorage.setItem(KEPT, JSON.stringify({ webtransport, certificates, at: Date.now() }));
  } catch {
    // Without a storage the page goes by WebSocket.
  }
}

/** What the server told last, while it holds. */
export function knownPlace(): Place | undefined {
  try {
    const place = JSON.parse(localStorage.getItem(KEPT) ?? "null") as Place | null;
    const age = place === null ? Infinity : Date.now() - place.at;
    return age >= 0 && age < HOLDS_MS && place !== null ? place : undefined;
  } catch {
    return undefined;
  }
}

/** It leads nowhere any more. */
export function forgetPlace(): void {
  try {
    localStorage.removeItem(KEPT);
  } catch {
    // Nothing was kept either.
  }
}
