import { expect, test } from "vitest";
import { snap } from "./snap";

const at = (x: number, y: number, side = 100) => ({ x, y, width: side, height: side });

test("edges hold to edges and middles to middles within reach", () => {
  expect(snap(at(6, 300), [at(0, 0)], 8).by).toEqual({ x: -6, y: 0 });
  expect(snap(at(9, 300), [at(0, 0)], 8).by).toEqual({ x: 0, y: 0 });
  // A larger one: its middle is at 50, its left edge at 30 is no one's.
  const middle = snap({ x: 33, y: 300, width: 40, height: 40 }, [at(0, 0)], 8);
  expect(middle.by).toEqual({ x: -3, y: 0 });
  expect(middle.guides).toEqual([{ upright: true, at: 50, from: 0, to: 340 }]);
});

test("both directions hold at once, each to the nearest", () => {
  const found = snap(at(203, 196), [at(200, 0), at(0, 200)], 8);
  expect(found.by).toEqual({ x: -3, y: 4 });
  expect(found.guides.map(({ upright }) => upright)).toEqual([true, false]);
});

test("a gap is made as wide as the one beside it", () => {
  const row = [at(0, 0), at(130, 0)];
  expect(snap(at(264, 13), row, 8).by.x).toBe(-4);
  expect(snap(at(-127, 13), row, 8).by.x).toBe(-3);
  // Between two others it lies in the middle.
  expect(snap(at(203, 13), [at(0, 0), at(400, 0)], 8).by.x).toBe(-3);
  expect(snap(at(264, 13), row, 8).guides).toEqual([
    { upright: false, at: 50, from: 100, to: 130 },
    { upright: false, at: 50, from: 230, to: 260 },
  ]);
  // Nothing is beside it there.
  expect(snap(at(264, 160), row, 8).by.x).toBe(0);
});
