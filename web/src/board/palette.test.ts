import { expect, it } from "vitest";
import { inkOn, PAPERS, PERSON_COLORS } from "./palette";

function luminance(color: string): number {
  const [r, g, b] = [1, 3, 5].map((at) => {
    const value = parseInt(color.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(a: string, b: string): number {
  const [light, dark] = [luminance(a), luminance(b)].sort((x, y) => y - x) as [number, number];
  return (light + 0.05) / (dark + 0.05);
}

it("every paper and any other colour carries readable ink", () => {
  for (const { color } of PAPERS) expect(contrast(color, inkOn(color))).toBeGreaterThan(4.5);
  for (const color of ["#000000", "#ffffff", "#3355ff", "#b00020"]) {
    expect(contrast(color, inkOn(color))).toBeGreaterThan(4.5);
  }
});

it("white names read on every person's colour", () => {
  for (const color of PERSON_COLORS) expect(contrast(color, "#ffffff")).toBeGreaterThan(4.5);
});
