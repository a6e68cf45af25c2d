/**
 * The machines of a cluster: which one has the desk, and which others may be asked when it
 * is gone. A server that is alone tells of none, and everything goes to the page's own.
 */

/** Machines that are remembered. */
const MACHINES_MAX = 64;

/** What `init` tells of them. */
export interface Told {
  nodes?: string[];
  collaboration?: { websocket?: string };
}

/** Where they are kept: a page may be opened while its own machine is gone. */
const KEPT = "sticker-desk.machines";

let machines = kept();
/** The machine that has the desk; undefined: the one that served the page. */
let current: string | undefined;
/** The last line ended, or did not open: the desk may be elsewhere. */
let isDoubtful = false;

/** Takes over what an answer of `init` tells. */
export function learnMachines(told: Told): void {
  machines = (told.nodes ?? []).slice(0, MACHINES_MAX);
  isDoubtful = false;
  keep();
  const socket = told.collaboration?.websocket;
  if (machines.length === 0 || socket === undefined) return;
  // ws becomes http, wss becomes https.
  current = new URL(socket.replace(/^ws/, "http")).origin;
}

/** The address of a path on the machine that has the desk. */
export function urlOf(path: string): URL {
  return new URL(path, current === undefined ? document.baseURI : `${current}/`);
}

function kept(): string[] {
  try {
    const found: unknown = JSON.parse(localStorage.getItem(KEPT) ?? "[]");
    if (!Array.isArray(found)) return [];
    return found.filter((one) => typeof one === "string").slice(0, MACHINES_MAX);
  } catch {
    // Without a storage the page knows what its server tells.
    return [];
  }
}

function keep(): void {
  try {
    if (machines.length === 0) localStorage.removeItem(KEPT);
    else localStorage.setItem(KEPT, JSON.stringify(machines));
  } catch {
    // Nothing was kept either.
  }
}

/** A line ended, or did not open. */
export function doubtMachine(): void {
  isDoubtful = true;
}

/** Whom to ask where the desk is, in turn; nobody while there is no reason to. */
export function machinesToAsk(): string[] {
  if (!isDoubtful || machines.length === 0) return [];
  return [...new Set([...(current === undefined ? [] : [current]), ...machines])];
}
