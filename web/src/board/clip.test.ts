import { describe, expect, it } from "vitest";
import { cells, read, write } from "./clip";

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

function clipboard(plain = "", notes = ""): DataTransfer {
  const made = new Clipboard();
  made.setData("text/plain", plain);
  made.setData("application/x-sticker-desk", notes);
  return made as unknown as DataTransfer;
}

describe("the clipboard", () => {
  it("carries notes as notes, around the pointer", () => {
    const data = clipboard();
    const note = { x: 5, y: 6, width: 100, height: 80, color: "#ffb3c4", text: "one\ntwo" };
    write(data, [note, { ...note, x: 205, text: "three" }]);
    expect(data.getData("text/plain")).toBe("one\ntwo\n\nthree");
    expect(read(data, "#ffe066", { x: 1000, y: 1000 })).toEqual([
      { ...note, x: 850, y: 960 },
      { ...note, x: 1050, y: 960, text: "three" },
    ]);
  });

  it("makes a note of each line that says something", () => {
    const texts = read(clipboard("one\r\n\r\n  two\nthree, \"four\"\n"), "#ffe066", { x: 0, y: 0 });
    expect(texts.map((note) => note.text)).toEqual(["one", "two", 'three, "four"']);
    expect(new Set(texts.map((note) => `${note.x},${note.y}`)).size).toBe(3);
  });

  it("makes a note of each cell, at its place in the table", () => {
    expect(cells('a\tb\n\t"two\nlines ""so"""\n')).toEqual([
      ["a", "b"],
      ["", 'two\nlines "so"'],
    ]);
    const [a, b, c] = read(clipboard("a\tb\n\tc"), "#ffe066", { x: 0, y: 0 });
    expect([a!.y === b!.y, b!.x === c!.x, c!.y > b!.y]).toEqual([true, true, true]);
  });

  it("trusts nobody's bytes", () => {
    const at = { x: 0, y: 0 };
    expect(read(clipboard("plain", "{"), "#ffe066", at)[0]?.text).toBe("plain");
    const odd = '[{"x":"9e99","width":-4,"height":1e9,"color":"url(x)","text":7}]';
    const [note] = read(clipboard("", odd), "#ffe066", at);
    expect(note!.x).toBe(-10);
    expect(note).toMatchObject({ width: 20, height: 4000, color: "#ffe066", text: "7" });
    expect(read(clipboard(), "#ffe066", at)).toEqual([]);
  });
});
