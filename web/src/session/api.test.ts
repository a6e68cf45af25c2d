import { describe, expect, it } from "vitest";
import { deskIdIn } from "./api";

const ID = "0ABCDEFGHJKMNPQRSTVWXYZ012";

describe("deskIdIn", () => {
  it("finds the id in links and alone", () => {
    expect(deskIdIn(ID)).toBe(ID);
    expect(deskIdIn(` https://desk.example/d/${ID.toLowerCase()} `)).toBe(ID);
    expect(deskIdIn(`http://127.0.0.1:8080/d/${ID}/?utm=x#y`)).toBe(ID);
  });

  it("ignores what mail and chat hang on a link", () => {
    for (const behind of [".", ")", "/", "/).", ">,", "”"]) {
      expect(deskIdIn(`https://desk.example/d/${ID}${behind}`)).toBe(ID);
    }
  });

  it("takes nothing else for one", () => {
    expect(deskIdIn("")).toBeUndefined();
    expect(deskIdIn(`${ID}0`)).toBeUndefined();
    expect(deskIdIn("https://desk.example/about")).toBeUndefined();
    expect(deskIdIn(`javascript:alert(1)//${ID}`)).toBeUndefined();
  });
});
