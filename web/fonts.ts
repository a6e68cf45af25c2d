import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import subsetFont from "subset-font";
import type { Plugin } from "vite";

/** The lightest and the boldest weight of the page; `src/app.css` and the components use no other. */
const WEIGHTS = { min: 400, max: 750 };

/**
 * The files of the page's font: the scripts that its languages need. What English and
 * the page itself need comes first; a browser loads the others when a letter of theirs is shown.
 */
const FONTS: Record<string, { of: string; letters: readonly string[] }> = {
  basic: {
    of: "latin",
    letters: ["20-7E", "A0", "AB", "B7", "BB", "D7", "2013-2014", "2018-2019", "201C-201D", "2022", "2026", "2190-2193", "2212"],
  },
  latin: {
    of: "latin",
    letters: ["A1-AA", "AC-B6", "B8-BA", "BC-D6", "D8-FF", "131", "152-153", "2BB-2BC", "2C6", "2DA", "2DC", "201A", "201E", "2030", "2039-203A", "20AC", "2122"],
  },
  "latin-ext": {
    of: "latin-ext",
    letters: ["100-130", "132-151", "154-2BA", "2BD-2C5", "2C7-2CC", "2CE-2D7", "2DD-2FF", "304", "308", "329", "1D00-1DBF", "1E00-1E9F", "1EF2-1EFF", "2020", "20A0-20AB", "20AD-20C0", "2113", "2C60-2C7F", "A720-A7FF"],
  },
  cyrillic: { of: "cyrillic", letters: ["301", "400-45F", "490-491", "4B0-4B1", "2116"] },
  "cyrillic-ext": {
    of: "cyrillic-ext",
    letters: ["460-48F", "492-4AF", "4B2-52F", "1C80-1C8A", "20B4", "2DE0-2DFF", "A640-A69F", "FE2E-FE2F"],
  },
};

const SOURCES = "@fontsource-variable/onest/files/";

/** Makes the font's files and the rules that name them, in `folder`; what is there and fits stays. */
async function make(folder: string): Promise<void> {
  const require = createRequire(import.meta.url);
  const stamp = join(folder, "made-from");
  const made = createHash("sha256").update(readFileSync(new URL(import.meta.url)));
  const sources = new Map(
    Object.values(FONTS).map(({ of }) => [of, readFileSync(require.resolve(`${SOURCES}onest-${of}-wght-normal.woff2`))]),
  );
  for (const source of sources.values()) made.update(source);
  const sum = made.digest("hex");
  if (read(stamp) === sum) return;
  mkdirSync(folder, { recursive: true });
  const rules = [];
  for (const [name, { of, letters }] of Object.entries(FONTS)) {
    const text = letters.map((range) => lettersIn(range)).join("");
    const options = { targetFormat: "woff2", variationAxes: { wght: WEIGHTS } } as const;
    writeFileSync(join(folder, `onest-${name}.woff2`), await subsetFont(sources.get(of)!, text, options));
    rules.push(rule(name, letters));
  }
  writeFileSync(join(folder, "onest.css"), rules.join("\n"));
  writeFileSync(stamp, sum);
}

function rule(name: string, letters: readonly string[]): string {
  return `@font-face {
  font-family: "Onest Variable";
  font-weight: ${WEIGHTS.min} ${WEIGHTS.max};
  font-display: swap;
  src: url("./onest-${name}.woff2") format("woff2");
  unicode-range: ${letters.map((range) => `U+${range}`).join(", ")};
}
`;
}

function lettersIn(range: string): string {
  const [from, to = from] = range.split("-").map((code) => parseInt(code, 16)) as [number, number?];
  return Array.from({ length: to - from + 1 }, (_, at) => String.fromCodePoint(from + at)).join("");
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

/**
 * Cuts Onest (SIL Open Font License 1.1, see `public/onest-license.txt`) to the weights and
 * letters of the page; every other script falls back to the system's fonts.
 */
export function fonts(): Plugin {
  return {
    name: "fonts",
    buildStart: () => make(join(dirname(new URL(import.meta.url).pathname), "src/fonts")),
  };
}
