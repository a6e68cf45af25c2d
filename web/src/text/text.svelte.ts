import type { Trouble, Words } from "../session/report";
import { en } from "./en";
import type { Messages, TroubleCode } from "./messages";

const KEY = "sticker-desk.language";

/** A language is a file beside this one that is named after its code and exports `messages`. */
const FILES = import.meta.glob<{ messages: Messages }>(["./??.ts", "!./en.ts"]);

/** The codes of all languages. */
export const LANGUAGES: readonly string[] = ["en", ...Object.keys(FILES).map((path) => path.slice(2, -3))];

let current: { code: string; messages: Messages } = $state.raw({ code: "en", messages: en });

/** What the page says, in the reader's language. */
export const text = new Proxy({} as Messages, {
  get: (_, part) => current.messages[part as keyof Messages],
});

/** The code of the language that the page speaks. */
export function language(): string {
  return current.code;
}

/** A language's name for itself. */
export function nameOf(code: string): string {
  const name = new Intl.DisplayNames(code, { type: "language" }).of(code) ?? code;
  return name.charAt(0).toLocaleUpperCase(code) + name.slice(1);
}

/** Speaks the language that was chosen here, else the first of the browser's that there is. */
export async function speak(): Promise<void> {
  const wanted = [stored(), ...navigator.languages.map((name) => name.split("-")[0]!.toLowerCase())];
  await load(wanted.find((code) => code !== undefined && LANGUAGES.includes(code)) ?? "en");
}

/** Speaks another language from now on. */
export async function choose(code: string): Promise<void> {
  await load(code);
  try {
    localStorage.setItem(KEY, code);
  } catch {
    // The browser keeps nothing for this page: the choice lasts as long as the tab.
  }
}

/** What a person reads about a line that is not there. */
export function told(trouble: Trouble): Words {
  return current.messages.troubles?.[trouble.code as TroubleCode] ?? trouble;
}

/** A part of a whole, in percent. */
export function percent(part: number): string {
  return part.toLocaleString(current.code, { style: "percent" });
}

/** A day and a time of day. */
export function dateTime(milliseconds: number): string {
  return new Date(milliseconds).toLocaleString(current.code, { dateStyle: "long", timeStyle: "short" });
}

/** A day. */
export function day(milliseconds: number): string {
  return new Date(milliseconds).toLocaleDateString(current.code, { dateStyle: "long" });
}

async function load(code: string): Promise<void> {
  const file = FILES[`./${code}.ts`];
  current = { code, messages: file === undefined ? en : (await file()).messages };
  document.documentElement.lang = current.code;
}

function stored(): string | undefined {
  try {
    return localStorage.getItem(KEY) ?? undefined;
  } catch {
    return undefined;
  }
}
