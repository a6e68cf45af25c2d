import { describe, expect, it } from "vitest";
import { align, beside, distribute, freePlace, type Piece, readingOrder, tidy } from "./arrange";
import { meet } from "./camera.svelte";

function piece(id: string, x: number, y: number, side = 200): Piece {
  return { id, x, y, width: side, height: side };
}

describe("freePlace", () => {
  it("leaves a free place as it is, and else goes right, then below", () => {
    const wanted = piece("new", 0, 0);
    expect(freePlace(wanted, [piece("far", 900, 900)])).toEqual({ x: 0, y: 0 });
    expect(freePlace(wanted, [piece("there", 10, -5)])).toEqual({ x: 224, y: 0 });
    expect(freePlace(wanted, [piece("a", 0, 0), piece("b", 224, 0)])).toEqual({ x: 0, y: 224 });
  });

  it("finds room among hundreds, over none of them", () => {
    const taken: Piece[] = [];
    for (let at = 0; at < 400; at++) {
      taken.push({ ...piece(`${at}`, 0, 0), ...freePlace(piece("new", 0, 0), taken) });
    }
    for (const [at, one] of taken.entries()) {
      expect(taken.slice(0, at).some((other) => meet(one, other))).toBe(false);
    }
  });

  it("puts a note beside another on each side", () => {
    expect(beside(piece("a", 0, 0), "left").x).toBe(-224);
    expect(beside(piece("a", 0, 0), "below").y).toBe(224);
  });
});

describe("several notes", () => {
  const three = [piece("a", 0, 0), piece("b", 300, 40, 100), piece("c", 900, -60)];

  it("align to an edge or to the middle", () => {
    expect([...align(three, "left").values()].map(({ x }) => x)).toEqual([0, 0, 0]);
    expect([...align(three, "right").values()].map(({ x }) => x)).toEqual([900, 1000, 900]);
    expect([...align(three, "middle").values()].map(({ y }) => y)).toEqual([-30, 20, -30]);
  });

  it("have equal gaps when distributed, the outer ones staying", () => {
    const places = distribute(three, "across");
    expect(places.get("a")).toEqual({ x: 0, y: 0 });
    expect(places.get("b")).toEqual({ x: 500, y: 40 });
    expect(places.get("c")).toEqual({ x: 900, y: -60 });
  });

  it("stand in rows and in reading order when tidied, over none of each other", () => {
    const pile = [piece("d", 500, 510), piece("a", 3, 0), piece("b", 480, 20), piece("c", 0, 490)];
    const places = tidy(pile);
    expect(places.get("a")).toEqual({ x: 0, y: 0 });
    expect(places.get("b")).toEqual({ x: 224, y: 0 });
    expect(places.get("c")).toEqual({ x: 0, y: 224 });
    expect(places.get("d")).toEqual({ x: 224, y: 224 });
    expect(readingOrder(pile).map(({ id }) => id)).toEqual(["a", "b", "c", "d"]);
  });

  it("are none", () => {
    expect(align([], "left").size + distribute([], "down").size + tidy([]).size).toBe(0);
  });
});
