import { text } from "../text/text.svelte";

/** What may carry a line, the best first. */
export const TRANSPORTS = ["webtransport", "websocket", "poll"] as const;

export type Transport = (typeof TRANSPORTS)[number];

function nameOf(transport: Transport): string {
  return { webtransport: "WebTransport", websocket: "WebSocket", poll: text.status.plainRequests }[transport];
}

/** How long a transport is left alone once it did not get through, in milliseconds. */
const AVOIDED_MS = 300_000;

interface Doubt {
  until: number;
  why: string;
  /** It is not even tried. */
  avoided: boolean;
}

const doubts = new Map<Transport, Doubt>();

/** A transport does not get through, and is not tried for a while. */
export function avoid(transport: Transport, why: string): void {
  doubts.set(transport, { until: Date.now() + AVOIDED_MS, why, avoided: true });
}

/** A transport did not open: others wait less for it. */
export function doubt(transport: Transport, why: string): void {
  if (!isAvoided(transport)) doubts.set(transport, { until: Date.now() + AVOIDED_MS, why, avoided: false });
}

/** A transport gets through, as far as anybody knows. */
export function trust(transport: Transport): void {
  doubts.delete(transport);
}

export function isAvoided(transport: Transport): boolean {
  return isDoubted(transport) && doubts.get(transport)?.avoided === true;
}

export function isDoubted(transport: Transport): boolean {
  return Date.now() < (doubts.get(transport)?.until ?? 0);
}

/**
 * Tells the curious what carries the line, and for logs why nothing better does, as attributes
 * of the document.
 */
export function show(transport: Transport | undefined): void {
  const { dataset } = document.documentElement;
  delete dataset["transport"];
  delete dataset["transportWhy"];
  if (transport === undefined) return;
  dataset["transport"] = transport;
  const why = better(transport);
  if (why !== "") dataset["transportWhy"] = why;
}

/** Over what the desk comes, in a sentence; empty while there is no line. */
export function carrying(): string {
  const { transport } = document.documentElement.dataset;
  const known = TRANSPORTS.find((name) => name === transport);
  return known === undefined ? "" : text.status.carried(nameOf(known));
}

/** Why what would be better is not used. */
function better(used: Transport): string {
  const all = TRANSPORTS.slice(0, TRANSPORTS.indexOf(used));
  const told = all.map((name) => {
    const why = doubts.get(name)?.why;
    return why === undefined ? "" : `${nameOf(name)} is not used: ${why}.`;
  });
  return told.filter((why) => why !== "").join(" ");
}
