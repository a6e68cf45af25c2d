/**
 * Every tab is a client of its own, and no two tabs are ever the same client.
 *
 * A tab's client key stands in its sessionStorage, which survives a reload, but
 * is copied when a tab is duplicated. So a key is used only under a lock, for as
 * long as the page lives. A key whose tab is gone can be adopted by another.
 */

/** How long a reloaded page waits for its former self to let go. */
const HANDOVER_MS = 1500;
/** How long other tabs have to say that a key is theirs. */
const ASK_MS = 250;

const mine = (desk: string): string => `sticker-desk.client.${desk}`;

/** The key to use: this tab's own, an orphaned one, or a new one. */
export async function claimClient(desk: string, stored: readonly string[]): Promise<string> {
  const own = readOwn(desk);
  if (own !== null && (await hold(own, HANDOVER_MS))) return own;
  for (const key of stored) {
    if (key !== own && (await hold(key, 0))) {
      writeOwn(desk, key);
      return key;
    }
  }
  const fresh = `${desk}.${randomName()}`;
  await hold(fresh, 0);
  writeOwn(desk, fresh);
  return fresh;
}

/** Takes the lock of a key, for as long as the page lives. `false`: another tab has it. */
export function hold(key: string, patienceMs: number): Promise<boolean> {
  const name = `sticker-desk.client/${key}`;
  // Only secure origins have locks; over plain http tabs ask each other.
  if (navigator.locks === undefined) return ask(name);
  return new Promise((resolve) => {
    const options: LockOptions =
      patienceMs > 0 ? { signal: AbortSignal.timeout(patienceMs) } : { ifAvailable: true };
    navigator.locks
      .request(name, options, (lock) => {
        resolve(lock !== null);
        // Never settled: the lock goes with the page.
        return lock === null ? undefined : new Promise<void>(() => {});
      })
      .catch(() => resolve(false));
  });
}

const held = new Set<string>();
const claims = new Map<string, number>();
let channel: BroadcastChannel | undefined;

async function ask(name: string): Promise<boolean> {
  if (held.has(name)) return false;
  channel ??= listen();
  const ticket = crypto.getRandomValues(new Uint32Array(1))[0]!;
  claims.set(name, ticket);
  const taken = await new Promise<boolean>((resolve) => {
    const said = (event: MessageEvent): void => {
      if (event.data?.taken === name) settle(true);
    };
    const timer = setTimeout(() => settle(false), ASK_MS);
    const settle = (answer: boolean): void => {
      clearTimeout(timer);
      channel!.removeEventListener("message", said);
      resolve(answer);
    };
    channel!.addEventListener("message", said);
    channel!.postMessage({ ask: name, ticket });
  });
  claims.delete(name);
  if (!taken) held.add(name);
  return !taken;
}

function listen(): BroadcastChannel {
  const opened = new BroadcastChannel("sticker-desk.clients");
  opened.addEventListener("message", (event) => {
    const { ask: name, ticket } = event.data as { ask?: string; ticket?: number };
    if (name === undefined || ticket === undefined) return;
    const claim = claims.get(name);
    // Of two that ask at once, the smaller ticket has it.
    if (held.has(name) || (claim !== undefined && claim < ticket)) {
      opened.postMessage({ taken: name });
    }
  });
  return opened;
}

function readOwn(desk: string): string | null {
  try {
    return sessionStorage.getItem(mine(desk));
  } catch {
    return null;
  }
}

function writeOwn(desk: string, key: string): void {
  try {
    sessionStorage.setItem(mine(desk), key);
  } catch {
    // The next load of this tab adopts the key like any orphan.
  }
}

function randomName(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
