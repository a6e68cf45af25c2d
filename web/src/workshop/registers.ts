/** The registers of the desk that the page uses, as protocol/SPEC.md writes them. */
import type { Rect } from "../board/camera.svelte";

/** Under which key each stands. */
export const KEYS = { timer: 1, round: 2, writing: 3, call: 4 } as const;

/** The bytes of registers by their keys. */
export type Registers = ReadonlyMap<number, Uint8Array>;

/** All times are the server's, in milliseconds. */
export type Timer =
  | { state: "running"; endsAt: number }
  /** `rest`: what was left when it was stopped. */
  | { state: "paused"; rest: number };

export interface Round {
  /** From 1. */
  number: number;
  /** Votes a person. */
  votes: number;
  state: "closed" | "open" | "revealed";
}

/** Somebody asked everyone to look at a part of the board. */
export interface Call {
  author: number;
  /** When, by the server's clock. */
  at: number;
  sight: Rect;
}

const TIMER_STATES = ["running", "paused"] as const;
const ROUND_STATES = ["closed", "open", "revealed"] as const;

/** A counter holds a round and the votes in it. */
const VOTES_IN_COUNTER = 256;
export const VOTES_MAX = 99;
const ROUND_MAX = 2 ** 24 - 1;
/** The board ends here on each side; a sight has no place beyond, and some measure. */
const COORDINATE_MAX = 1_000_000;

export function readTimer(registers: Registers): Timer | undefined {
  const view = viewOf(registers, KEYS.timer, 9);
  const state = TIMER_STATES[(view?.getUint8(0) ?? 0) - 1];
  if (view === undefined || state === undefined) return undefined;
  const ms = Number(view.getBigUint64(1, true));
  return state === "running" ? { state, endsAt: ms } : { state, rest: ms };
}

export function writeTimer(timer: Timer): Uint8Array {
  const [bytes, view] = room(9);
  view.setUint8(0, TIMER_STATES.indexOf(timer.state) + 1);
  const ms = timer.state === "running" ? timer.endsAt : timer.rest;
  view.setBigUint64(1, BigInt(Math.max(0, Math.round(ms))), true);
  return bytes;
}

export function readRound(registers: Registers): Round | undefined {
  const view = viewOf(registers, KEYS.round, 6);
  const state = ROUND_STATES[view?.getUint8(5) ?? 0];
  if (view === undefined || state === undefined) return undefined;
  return { number: view.getUint32(0, true), votes: view.getUint8(4), state };
}

export function writeRound({ number, votes, state }: Round): Uint8Array {
  const [bytes, view] = room(6);
  view.setUint32(0, Math.min(number, ROUND_MAX), true);
  view.setUint8(4, votes);
  view.setUint8(5, ROUND_STATES.indexOf(state));
  return bytes;
}

/** What a counter shows for `votes` in a round. */
export function writeCounter(round: number, votes: number): number {
  return votes === 0 ? 0 : round * VOTES_IN_COUNTER + votes;
}

/** The votes of a counter in a round; those of other rounds do not count. */
export function readCounter(round: number, counter: number): number {
  return Math.floor(counter / VOTES_IN_COUNTER) === round ? counter % VOTES_IN_COUNTER : 0;
}

/** Since when people write for themselves. */
export function readWriting(registers: Registers): number | undefined {
  const view = viewOf(registers, KEYS.writing, 8);
  return view === undefined ? undefined : Number(view.getBigUint64(0, true));
}

export function writeWriting(since: number): Uint8Array {
  const [bytes, view] = room(8);
  view.setBigUint64(0, BigInt(Math.round(since)), true);
  return bytes;
}

export function readCall(registers: Registers): Call | undefined {
  const view = viewOf(registers, KEYS.call, 28);
  if (view === undefined) return undefined;
  const sight = {
    x: view.getInt32(12, true),
    y: view.getInt32(16, true),
    width: view.getUint32(20, true),
    height: view.getUint32(24, true),
  };
  const { x, y, width, height } = sight;
  // Any program may write it: nobody is led off the board.
  if (Math.min(width, height) < 1 || Math.max(width, height) > 2 * COORDINATE_MAX) return undefined;
  if (Math.max(Math.abs(x), Math.abs(y)) > 2 * COORDINATE_MAX) return undefined;
  return { author: view.getUint32(0, true), at: Number(view.getBigUint64(4, true)), sight };
}

export function writeCall({ author, at, sight }: Call): Uint8Array {
  const [bytes, view] = room(28);
  view.setUint32(0, author, true);
  view.setBigUint64(4, BigInt(Math.round(at)), true);
  view.setInt32(12, Math.round(sight.x), true);
  view.setInt32(16, Math.round(sight.y), true);
  view.setUint32(20, Math.round(sight.width), true);
  view.setUint32(24, Math.round(sight.height), true);
  return bytes;
}

/** `undefined`: there is none, or one that this version does not know. */
function viewOf(registers: Registers, key: number, length: number): DataView | undefined {
  const bytes = registers.get(key);
  if (bytes === undefined || bytes.length < length) return undefined;
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function room(length: number): [Uint8Array, DataView] {
  const bytes = new Uint8Array(length);
  return [bytes, new DataView(bytes.buffer)];
}
