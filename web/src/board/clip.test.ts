import { describe, expect, it } from "vitest";
import { OWN_TYPE, write } from "./clip";

/** The clipboard, as far as it is used. */
class Clipboard {
  readonly #data = new Map<string, string>();
  getData(type: string): string {
    return this.#data.get(type) ?? "";
  }
  setData(type: string, value: string): void {
    this.#data.set(type, value);
  }
}

describe("the clipboard", () => {
  it("carries notes as a desk's JSON, and their texts in the order of reading", () => {
    const data = new Clipboard();
    const note = { x: 5, y: 6, width: 100, height: 80, color: "#ffb3c4", text: "one\ntwo" };
    const own = write(data as unknown as DataTransfer, [{ ...note, x: 205, text: "three" }, note]);
    expect(data.getData("text/plain")).toBe("one\ntwo\n\nthree");
    expect(data.getData(OWN_TYPE)).toBe(own);
    expect(JSON.parse(own)).toEqual({ stickers: [{ ...note, x: 205, text: "three" }, note] });
  });
});
