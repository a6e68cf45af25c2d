import { describe, expect, it } from "vitest";
import { bounds, Camera } from "./camera.svelte";

function camera(): Camera {
  const made = new Camera();
  made.width = 1000;
  made.height = 800;
  return made;
}

describe("Camera", () => {
  it("zooms around the point it is told", () => {
    const view = camera();
    view.panBy(37, -12);
    const at = { x: 300, y: 200 };
    const before = view.toBoard(at);
    view.zoomAt(at, 1.7);
    expect(view.toBoard(at).x).toBeCloseTo(before.x);
    expect(view.toBoard(at).y).toBeCloseTo(before.y);
    expect(view.scale).toBeCloseTo(1.7);
  });

  it("stays within its limits however far the wheel turns", () => {
    const view = camera();
    view.zoomCenter(1e9);
    expect(view.scale).toBe(4);
    view.zoomCenter(1e-9);
    expect(view.scale).toBe(0.1);
  });

  it("fits all notes into the window", () => {
    const view = camera();
    const notes = [
      { x: -3000, y: 100, width: 200, height: 200 },
      { x: 2000, y: 1500, width: 400, height: 200 },
    ];
    view.fit(notes);
    const edges = bounds(notes)!;
    const from = view.toScreen(edges);
    const to = view.toScreen({ x: edges.x + edges.width, y: edges.y + edges.height });
    expect(from.x).toBeGreaterThan(0);
    expect(from.y).toBeGreaterThan(0);
    expect(to.x).toBeLessThan(1000);
    expect(to.y).toBeLessThan(800);
  });

  it("fits notes that lie further apart than the wheel zooms out", () => {
    const view = camera();
    view.fit([
      { x: -1_000_000, y: 0, width: 200, height: 200 },
      { x: 1_000_000, y: 0, width: 200, height: 200 },
    ]);
    expect(view.toScreen({ x: -1_000_000, y: 0 }).x).toBeGreaterThan(0);
    expect(view.toScreen({ x: 1_000_000, y: 0 }).x).toBeLessThan(1000);
    const far = view.scale;
    view.zoomCenter(0.5);
    expect(view.scale).toBe(far);
  });

  it("pans only as far as shows a note", () => {
    const view = camera();
    view.reveal({ x: 400, y: 300, width: 200, height: 200 });
    expect([view.x, view.y]).toEqual([0, 0]);
    view.reveal({ x: 1000, y: 300, width: 200, height: 200 }, 50);
    expect([view.x, view.y]).toEqual([-250, 0]);
  });
});
