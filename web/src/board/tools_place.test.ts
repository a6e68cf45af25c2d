import { describe, expect, it } from "vitest";
import { toolsPlace } from "./tools_place";

const WINDOW = { width: 1280, height: 800 };
const TOOLS = { width: 360, height: 48 };
const NOTE = { x: 500, y: 300, width: 200, height: 200 };

/** A note of the same size, so many notes away. */
const at = (right: number, down: number) => ({ ...NOTE, x: NOTE.x + 224 * right, y: NOTE.y + 224 * down });
const place = (others: (typeof NOTE)[], notes = NOTE) => toolsPlace(notes, TOOLS, WINDOW, 42, others);

describe("the tools of a note", () => {
  it("lie above it, in its middle", () => {
    expect(place([])).toEqual({ x: 420, y: 210 });
  });

  it("go where they cover no other note", () => {
    expect(place([at(0, -1)])).toEqual({ x: 420, y: 542 });
    expect(place([at(0, -1), at(0, 1)])).toEqual({ x: 742, y: 376 });
    // Above it there is room from its left edge on.
    expect(place([at(-1, -1)])).toEqual({ x: 500, y: 210 });
  });

  it("cover what is beside it sooner than the note itself", () => {
    const high = { ...NOTE, y: 80, height: 680 };
    const beside = { ...high, x: high.x + 250 };
    const { x } = place([beside, { ...high, x: high.x - 250 }], high);
    expect(x).toBeGreaterThanOrEqual(high.x + high.width);
  });

  it("stay in the window", () => {
    expect(place([], { ...NOTE, x: -150, y: -50 })).toEqual({ x: 12, y: 192 });
  });
});
