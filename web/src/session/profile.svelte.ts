import { PERSON_COLORS } from "../board/palette";
import { text } from "../text/text.svelte";

const KEY = "sticker-desk.profile";
const NAME_MAX = 40;

/** This person's name and colour; kept on this device, shown beside the cursor. */
class Profile {
  name = $state("");
  color = $state(PERSON_COLORS[0]!);
  readonly #isNew: boolean;
  /** Whether this person picked the colour; else it was drawn by lot. */
  #isPicked: boolean;

  constructor() {
    const saved = read();
    this.name = saved?.name ?? "";
    this.color = saved?.color ?? anyOf(PERSON_COLORS);
    this.#isNew = saved === undefined;
    this.#isPicked = saved?.picked ?? false;
  }

  /** Whoever has not said a name gets an animal's, so that one can be told from another. */
  settle(): void {
    if (this.#isNew) this.rename(anyOf(text.people.animals));
  }

  get initial(): string {
    return initial(this.name);
  }

  rename(name: string): void {
    this.name = [...name].slice(0, NAME_MAX).join("");
    this.#save();
  }

  recolor(color: string): void {
    this.color = color;
    this.#isPicked = true;
    this.#save();
  }

  /** Takes a colour that none of these has, unless this person picked its own. */
  standOut(taken: readonly string[]): void {
    if (this.#isPicked || !taken.includes(this.color)) return;
    const free = PERSON_COLORS.filter((color) => !taken.includes(color));
    if (free.length === 0) return;
    this.color = anyOf(free);
    this.#save();
  }

  #save(): void {
    const { name, color } = this;
    try {
      localStorage.setItem(KEY, JSON.stringify({ name, color, picked: this.#isPicked }));
    } catch {
      // The browser keeps nothing for this page: the name lasts as long as the tab.
    }
  }
}

function read(): { name: string; color: string; picked: boolean } | undefined {
  try {
    const saved: unknown = JSON.parse(localStorage.getItem(KEY) ?? "null");
    if (saved === null || typeof saved !== "object") return undefined;
    const { name, color, picked } = saved as Record<string, unknown>;
    if (typeof name !== "string" || typeof color !== "string") return undefined;
    // What was saved before lots were drawn anew may have been picked.
    const known = { name, color, picked: picked !== false };
    return /^#[0-9a-f]{6}$/.test(color) ? known : undefined;
  } catch {
    return undefined;
  }
}

function anyOf<T>(choices: readonly T[]): T {
  return choices[crypto.getRandomValues(new Uint32Array(1))[0]! % choices.length]!;
}

/** The letter that stands for a name. */
export function initial(name: string): string {
  return ([...name.trim()][0] ?? "?").toUpperCase();
}

export const profile = new Profile();
