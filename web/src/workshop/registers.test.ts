import { expect, test } from "vitest";
import {
  KEYS,
  readCall,
  readCounter,
  readRound,
  readTimer,
  readWriting,
  type Registers,
  type Round,
  type Timer,
  writeCall,
  writeCounter,
  writeRound,
  writeTimer,
  writeWriting,
} from "./registers";

const holding = (key: number, bytes: Uint8Array): Registers => new Map([[key, bytes]]);
/** Needs more than 32 bits. */
const NOW = 1_796_000_000_123;

test("what is written is read", () => {
  const timers: Timer[] = [
    { state: "running", endsAt: NOW },
    { state: "paused", rest: 90_000 },
  ];
  for (const timer of timers) expect(readTimer(holding(KEYS.timer, writeTimer(timer)))).toEqual(timer);
  const rounds: Round[] = [
    { number: 1, votes: 3, state: "open" },
    { number: 70_000, votes: 99, state: "revealed" },
    { number: 2, votes: 5, state: "closed" },
  ];
  for (const round of rounds) expect(readRound(holding(KEYS.round, writeRound(round)))).toEqual(round);
  expect(readWriting(holding(KEYS.writing, writeWriting(NOW)))).toBe(NOW);
  const call = { author: 7, at: NOW, sight: { x: -5, y: 1_000_000, width: 900, height: 600 } };
  expect(readCall(holding(KEYS.call, writeCall(call)))).toEqual(call);
});

test("the bytes are those of the specification", () => {
  expect([...writeTimer({ state: "paused", rest: 258 })]).toEqual([2, 2, 1, 0, 0, 0, 0, 0, 0]);
  expect([...writeRound({ number: 258, votes: 3, state: "open" })]).toEqual([2, 1, 0, 0, 3, 1]);
});

test("a call that leads off the board is none", () => {
  const call = { author: 7, at: NOW, sight: { x: 0, y: 0, width: 900, height: 600 } };
  for (const wrong of [{ width: 4_294_967_295 }, { height: 0 }, { x: -2_147_483_648 }]) {
    const far = { ...call, sight: { ...call.sight, ...wrong } };
    expect(readCall(holding(KEYS.call, writeCall(far)))).toBeUndefined();
  }
});

test("nothing is read of what is not there or of a later form", () => {
  expect(readTimer(new Map())).toBeUndefined();
  expect(readTimer(holding(KEYS.timer, new Uint8Array(4)))).toBeUndefined();
  expect(readTimer(holding(KEYS.timer, new Uint8Array(9).fill(9)))).toBeUndefined();
  expect(readRound(holding(KEYS.round, new Uint8Array(6).fill(9)))).toBeUndefined();
  // What a later version adds stands behind.
  expect(readWriting(holding(KEYS.writing, new Uint8Array(12)))).toBe(0);
});

test("votes of another round do not count", () => {
  expect(readCounter(3, writeCounter(3, 2))).toBe(2);
  expect(readCounter(4, writeCounter(3, 2))).toBe(0);
  expect(writeCounter(3, 0)).toBe(0);
});
