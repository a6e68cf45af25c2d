/**
 * The page's clocks. The device's own is not asked: a person, or the network, may set it
 * back by an hour or forward by a week.
 *
 * Delays are measured by a clock that never jumps. What expires does so by the server's
 * time, which every answer of the server tells.
 */

/** Milliseconds of a clock that never jumps; it starts near the Unix epoch's time. */
export function steadyNow(): number {
  return performance.timeOrigin + performance.now();
}

/** What a line's delay may add to an exact time, in milliseconds. */
const TOLERATED_MS = 50;

/** By how much the server's clock is ahead of the steady one, once it is known. */
let ahead: number | undefined = $state();
/** What said so told more than seconds. */
let isExact = false;

/**
 * The server's clock shows `at`, in milliseconds since the Unix epoch. `exact`: the line told
 * it, by the millisecond; HTTP tells seconds.
 */
export function learnServerTime(at: number, exact = false): void {
  if (!Number.isFinite(at)) return;
  const found = at - steadyNow();
  // A second is what HTTP tells; less would only wake whoever shows the time.
  const tolerated = exact ? (isExact ? TOLERATED_MS : 0) : 1000;
  if (ahead !== undefined && Math.abs(found - ahead) <= tolerated) return;
  ahead = found;
  isExact = exact;
}

/** The server's time, in milliseconds since the Unix epoch; `undefined`: nobody told it yet. */
export function serverNow(): number | undefined {
  return ahead === undefined ? undefined : steadyNow() + ahead;
}
