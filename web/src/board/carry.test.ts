import { expect, test } from "vitest";
import { carried, within } from "./carry";

const at = (id: string, x: number, y: number, isArea = false, side = 200) => ({
  id,
  isArea,
  rect: { x, y, width: side, height: side },
});

test("an area carries what has its middle in it", () => {
  const area = at("area", 0, 0, true, 600);
  const all = [area, at("in", 20, 20), at("edge", 499, 0), at("just out", 500, 0), at("out", 900, 0)];
  expect(carried([area], all).map(({ id }) => id)).toEqual(["area", "in", "edge"]);
  expect(carried([all[1]!], all).map(({ id }) => id)).toEqual(["in"]);
  expect(carried([area, all[1]!], all).map(({ id }) => id)).toEqual(["area", "in", "edge"]);
});

test("an area is surrounded as a whole or not at all", () => {
  const around = { x: 0, y: 0, width: 300, height: 300 };
  expect(within({ x: 0, y: 0, width: 300, height: 300 }, around)).toBe(true);
  expect(within({ x: 1, y: 0, width: 300, height: 300 }, around)).toBe(false);
});
