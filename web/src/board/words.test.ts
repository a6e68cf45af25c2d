import { describe, expect, it } from "vitest";
import { cutAt, wordsOf } from "./words";

describe("addresses in a text", () => {
  const hrefs = (text: string): (string | undefined)[] =>
    wordsOf(text).flatMap((part) => part.href ?? []);

  it("are found without what ends a sentence", () => {
    expect(hrefs("See https://example.org/a?b=c#d, or (http://x.example/).")).toEqual([
      "https://example.org/a?b=c#d",
      "http://x.example/",
    ]);
    const text = "a https://example.org b";
    expect(wordsOf(text).map((part) => part.text).join("")).toBe(text);
  });

  it("are of the web, and nothing else is one", () => {
    expect(hrefs("javascript:alert(1) ftp://x data:text/html,x https:// http://[")).toEqual([]);
    expect(wordsOf("")).toEqual([]);
  });
});

describe("carets in a text", () => {
  it("stand between characters, not within one", () => {
    const at = (...carets: number[]): [string, number[]][] =>
      cutAt("a😀b", carets.map((caret) => ({ caret }))).map((part) => [
        part.text,
        part.carets.map((one) => one.caret),
      ]);
    expect(at(2)).toEqual([["a😀", [2]], ["b", []]]);
    expect(at(0, 99)).toEqual([["", [0]], ["a😀b", [99]], ["", []]]);
    expect(at(1, 1)).toEqual([["a", [1, 1]], ["😀b", []]]);
  });
});
