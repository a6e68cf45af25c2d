import { expect, it } from "vitest";
import { edge, nearest, neighbour, standing, type Stop } from "./walk";

const stop = (id: string, x: number, y: number): Stop => ({ id, x, y, width: 200, height: 200 });
const three = [stop("a", 0, 0), stop("b", 300, 10), stop("c", 20, 400)];

it("goes to the nearest note ahead", () => {
  expect(neighbour(three[0]!, { x: 1, y: 0 }, three)).toBe("b");
  expect(neighbour(three[0]!, { x: 0, y: 1 }, three)).toBe("c");
  expect(neighbour(three[1]!, { x: -1, y: 0 }, three)).toBe("a");
  expect(neighbour(three[0]!, { x: 0, y: -1 }, three)).toBeUndefined();
});

it("reaches each of several notes at one place", () => {
  const pile = [stop("a", 0, 0), stop("b", 0, 0), stop("c", 300, 0)];
  expect(neighbour(pile[0]!, { x: 1, y: 0 }, pile)).toBe("b");
  expect(neighbour(pile[1]!, { x: 1, y: 0 }, pile)).toBe("c");
  expect(neighbour(pile[1]!, { x: -1, y: 0 }, pile)).toBe("a");
});

it("knows where a note lies", () => {
  expect(standing(three[2]!, three)).toEqual({ number: 3, column: 0, row: 2 });
  expect(nearest({ x: 0, y: 500 }, three)).toBe("c");
  expect([edge("first", three), edge("last", three)]).toEqual(["a", "c"]);
});
