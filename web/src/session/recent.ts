import { serverNow } from "./clock.svelte";

/**
 * Desks opened on this device, newest first; only this device knows them. No clock
 * removes one: the server says when a desk is gone.
 */
export interface RecentDesk {
  /** The id in the page's address. */
  id: string;
  /** The owner link's id, on the device that made the desk. */
  owner?: string;
  title: string;
  role: string;
  /** Milliseconds since the Unix epoch. */
  expiresAt: number;
  /** So much before its end, in milliseconds, the person was told of it. */
  warned?: number;
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
        typeof desk.expiresAt === "number",
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
  const all = [{ ...known, ...desk }, ...others];
  if (all.length > DESKS_MAX) {
    // What has expired by the server's time makes room first.
    const now = serverNow() ?? 0;
    const over = all.findLastIndex((other, place) => place > 0 && other.expiresAt < now);
    all.splice(over === -1 ? DESKS_MAX : over, 1);
  }
  save(all);
}

/** Whether the person has been told that a desk ends within this time, in milliseconds. */
export function wasWarned(id: string, within: number): boolean {
  return (recentDesk(id)?.warned ?? Infinity) <= within;
}

export function noteWarning(id: string, within: number): void {
  save(recentDesks().map((desk) => (desk.id === id ? { ...desk, warned: within } : desk)));
}

/** A desk of one's own is found at another id, or by another owner's link. */
export function moveDesk(from: string, id: string, owner: string): void {
  save(recentDesks().map((desk) => (desk.id === from ? { ...desk, id, owner } : desk)));
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
