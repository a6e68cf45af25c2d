/** A word by number; each language has the categories that it needs. */
export type Forms = Partial<Record<Intl.LDMLPluralRule, string>> & { other: string };

/** How a language counts: "1 note", "2 notes". */
export function plurals(language: string): (number: number, forms: Forms) => string {
  const rules = new Intl.PluralRules(language);
  const figures = new Intl.NumberFormat(language, { useGrouping: "min2" });
  return (number, forms) => `${figures.format(number)} ${forms[rules.select(number)] ?? forms.other}`;
}
