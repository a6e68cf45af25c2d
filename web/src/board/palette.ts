export type PaperName = "butter" | "peach" | "rose" | "lilac" | "sky" | "mint" | "lime" | "white";

/** The papers that notes come in; the first is the protocol's default. */
export const PAPERS: readonly { color: string; name: PaperName }[] = [
  { color: "#ffe066", name: "butter" },
  { color: "#ffc59e", name: "peach" },
  { color: "#ffb3c4", name: "rose" },
  { color: "#dcc6ff", name: "lilac" },
  { color: "#a9d8ff", name: "sky" },
  { color: "#aeeacb", name: "mint" },
  { color: "#dcef8e", name: "lime" },
  { color: "#fffaf0", name: "white" },
];

/** Colours of people: strong enough to carry white text. */
export const PERSON_COLORS: readonly string[] = [
  "#c2410c",
  "#b91c5c",
  "#7c3aed",
  "#2f56d6",
  "#0e7490",
  "#15803d",
  "#a16207",
  "#57534e",
];

/** The ink that reads best on a paper, by its relative luminance (WCAG 2). */
export function inkOn(color: string): string {
  const channel = (offset: number): number => {
    const value = parseInt(color.slice(offset, offset + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  };
  const luminance = 0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5);
  return luminance > 0.2 ? "#2a2522" : "#fffdf9";
}
