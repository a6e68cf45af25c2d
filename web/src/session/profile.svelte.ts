import { PERSON_COLORS } from "../board/palette";

const KEY = "sticker-desk.profile";
const NAME_MAX = 40;

/** Names for those who have not said theirs: one can be told from another. */
const ANIMALS = ["Otter", "Heron", "Lynx", "Wren", "Badger", "Finch", "Hare", "Owl", "Marten", "Swift"];

/** This person's name and colour; kept on this device, shown beside the cursor. */
class Profile {
  name = $state("");
  color = $state(PERSON_COLORS[0]!);

  constructor() {
    const saved = read();
    const pick = new Uint32Array(2);
    crypto.getRandomValues(pick);
    this.name = saved?.name ?? ANIMALS[pick[0]! % ANIMALS.length]!;
    this.color = saved?.color ?? PERSON_COLORS[pick[1]! % PERSON_COLORS.length]!;
    if (saved === undefined) this.#save();
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
    this.#save();
  }

  #save(): void {
    try {
      localStorage.setItem(KEY, JSON.stringify({ name: this.name, color: this.color }));
    } catch {
      // The browser keeps nothing for this page: the name lasts as long as the tab.
    }
  }
}

function read(): { name: string; color: string } | undefined {
  try {
    const saved: unknown = JSON.parse(localStorage.getItem(KEY) ?? "null");
    if (saved === null || typeof saved !== "object") return undefined;
    const { name, color } = saved as Record<string, unknown>;
    if (typeof name !== "string" || typeof color !== "string") return undefined;
    return /^#[0-9a-f]{6}$/.test(color) ? { name, color } : undefined;
  } catch {
    return undefined;
  }
}

/** The letter that stands for a name. */
export function initial(name: string): string {
  return ([...name.trim()][0] ?? "?").toUpperCase();
}

export const profile = new Profile();
