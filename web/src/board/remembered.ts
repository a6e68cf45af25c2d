import type { Camera } from "./camera.svelte";

const key = (desk: string): string => `sticker-desk.camera.${desk}`;

/** Keeps what part of a desk this tab shows, over a reload. */
export function rememberCamera(desk: string, { x, y, scale, width, height }: Camera): void {
  try {
    const middle = { x: (width / 2 - x) / scale, y: (height / 2 - y) / scale, scale };
    sessionStorage.setItem(key(desk), JSON.stringify(middle));
  } catch {
    // The browser keeps nothing for this page: a reload shows all of the desk.
  }
}

/** Shows what this tab showed last. `false`: it has not shown this desk before. */
export function recallCamera(desk: string, camera: Camera): boolean {
  try {
    const kept = JSON.parse(sessionStorage.getItem(key(desk)) ?? "null") as unknown;
    if (kept === null || typeof kept !== "object") return false;
    const { x, y, scale } = kept as Record<string, unknown>;
    const all = [x, y, scale].every((value) => typeof value === "number" && Number.isFinite(value));
    if (!all || (scale as number) <= 0) return false;
    camera.show({ x: x as number, y: y as number }, scale as number);
    return true;
  } catch {
    return false;
  }
}
