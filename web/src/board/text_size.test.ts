import { describe, expect, it } from "vitest";
import { type Advance, fit, opening } from "./text_size";

/** About as Onest is: capitals and Cyrillic are wider than small Latin letters. */
const advance: Advance = (sign) => {
  if (sign === " ") return 0.25;
  if (/[A-ZЖШЩЮФМ]/.test(sign)) return 0.75;
  return /[А-я]/.test(sign) ? 0.6 : 0.52;
};

const size = (text: string, width = 200, height = 200): number =>
  fit(text, width, height, advance).size;

describe("the size of a text", () => {
  it("lets a word shout and a paragraph read", () => {
    expect(size("Cake")).toBe(56);
    expect(size("A sentence of middling length that takes some lines")).toBe(22);
    expect(size("word ".repeat(40))).toBe(14);
  });

  it("counts lines as well as letters", () => {
    expect(size("a\n".repeat(9))).toBeLessThan(size("a".repeat(9)));
  });

  it("gives wide letters more room", () => {
    const [small, large] = ["wide route: jury, forms, tables", "WIDE ROUTE: JURY, FORMS, TABLES"];
    expect(size(large!)).toBeLessThan(size(small!));
  });

  it("grows with the paper, and never fails on a tiny one", () => {
    const words = "word ".repeat(40);
    expect(size(words, 600, 600)).toBeGreaterThan(size(words));
    expect(fit(words, 20, 20, advance)).toEqual({ size: 12, cut: true });
  });

  it("tells what is cut", () => {
    expect(fit("word ".repeat(40), 200, 200, advance).cut).toBe(false);
    expect(fit("word ".repeat(90), 200, 200, advance)).toEqual({ size: 12, cut: true });
    expect(fit("line\n".repeat(12), 200, 200, advance).cut).toBe(true);
    expect(fit("x".repeat(10_000), 200, 200, advance)).toEqual({ size: 12, cut: true });
    expect(fit("", 200, 200, advance)).toEqual({ size: 56, cut: false });
  });
});

describe("the first words of a text", () => {
  const first = (text: string, width: number, lines: number): string[] => opening(text, width, lines, () => 0.5);

  it("fill the lines that there are", () => {
    expect(first("one two three", 10, 3)).toEqual(["one two three"]);
    expect(first("one two\nthree four", 4, 3)).toEqual(["one two", "three", "four"]);
  });

  it("say that there is more", () => {
    expect(first("one two three four", 4.5, 2)).toEqual(["one two", "three…"]);
    expect(first("incomprehensible", 4, 2)).toEqual(["incompr…"]);
    expect(first("one two three", 3.5, 1)).toEqual(["one tw…"]);
  });

  it("go on where a word is longer than its line", () => {
    expect(first("incomprehensible words", 4, 2)).toEqual(["incompre", "words"]);
  });

  it("are none of a text without words, or without room", () => {
    expect(first(" \n ", 10, 2)).toEqual([""]);
    expect(first("one", 10, 0)).toEqual([]);
  });
});
