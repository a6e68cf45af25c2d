/** Desks opened on this device, newest first; only this device knows them. */
export interface RecentDesk {
  /** The id in the page's address. */
  id: string;
  /** The owner link's id, on the device that made the desk. */
  owner?: string;
  title: string;
  role: string;
  /** Milliseconds since the Unix epoch. */
  expiresAt: number;
}

const KEY = "sticker-desk.recent";
const DESKS_MAX = 24;

export function recentDesks(): RecentDesk[] {
  try {
    const saved: unknown = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    if (!Array.isArray(saved)) return [];
    return saved.filter(
      (desk): desk is RecentDesk =>
        typeof desk?.id === "string" &&
        typeof desk.title === "string" &&
        typeof desk.role === "string" &&
        desk.expiresAt > Date.now(),
    );
  } catch {
    return [];
  }
}

export function recentDesk(id: string): RecentDesk | undefined {
  return recentDesks().find((desk) => desk.id === id);
}

/** Puts a desk in front; what is known of its owner link stays. */
export function rememberDesk(desk: RecentDesk): void {
  const known = recentDesk(desk.id);
  const others = recentDesks().filter((other) => other.id !== desk.id);
  save([{ ...known, ...desk }, ...others].slice(0, DESKS_MAX));
}

export function forgetDesk(id: string): void {
  save(recentDesks().filter((desk) => desk.id !== id));
}

function save(desks: RecentDesk[]): void {
  try {
    localStorage.setItem(KEY, JSON.stringify(desks));
  } catch {
    // The browser keeps nothing for this page: the list is a convenience.
  }
}
