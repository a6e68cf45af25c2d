import { describe, expect, it } from "vitest";
import { textSize } from "./text_size";

describe("textSize", () => {
  it("lets a word shout and a paragraph read", () => {
    expect(textSize("Cake", 200, 200)).toBe(27);
    expect(textSize("A sentence of middling length that takes some lines", 200, 200)).toBe(22);
    expect(textSize("word ".repeat(60), 200, 200)).toBe(14);
  });

  it("counts lines as well as letters", () => {
    expect(textSize("a\n".repeat(9), 200, 200)).toBeLessThan(textSize("a".repeat(9), 200, 200));
  });

  it("counts what is lost at the ends of lines", () => {
    // The letters alone would fill four lines at the largest size; the words take five.
    expect(textSize("antelopes dolphins cormorant pelican a cat", 200, 200)).toBe(22);
  });

  it("grows with the paper, and never fails on a tiny one", () => {
    const words = "word ".repeat(40);
    expect(textSize(words, 600, 600)).toBeGreaterThan(textSize(words, 200, 200));
    expect(textSize(words, 20, 20)).toBe(14);
  });
});
