const KEY = "sticker-desk.habits";

/** How this person works with the page; kept on this device. */
class Habits {
  #letters = $state(read().letters !== false);
  #map = $state(read().map === true);
  #sound = $state(read().sound === true);
  #stay = $state(read().stay === true);
  #snap = $state(read().snap === true);

  /** Single letters and signs are keys of the board. */
  get letters(): boolean {
    return this.#letters;
  }

  set letters(are: boolean) {
    this.#letters = are;
    this.#keep();
  }

  /** A sound tells that the shared timer has ended. */
  get sound(): boolean {
    return this.#sound;
  }

  set sound(is: boolean) {
    this.#sound = is;
    this.#keep();
  }

  /** The board stays where it is when somebody calls everyone. */
  get stay(): boolean {
    return this.#stay;
  }

  set stay(is: boolean) {
    this.#stay = is;
    this.#keep();
  }

  /** A small map of the whole desk is shown. */
  get map(): boolean {
    return this.#map;
  }

  set map(is: boolean) {
    this.#map = is;
    this.#keep();
  }

  /** What is dragged holds to other notes, without a key being held. */
  get snap(): boolean {
    return this.#snap;
  }

  set snap(does: boolean) {
    this.#snap = does;
    this.#keep();
  }

  #keep(): void {
    try {
      const [letters, map, sound, stay, snap] = [this.#letters, this.#map, this.#sound, this.#stay, this.#snap];
      const kept = { letters, map, sound, stay, snap };
      localStorage.setItem(KEY, JSON.stringify(kept));
    } catch {
      // The browser keeps nothing for this page: the habits last as long as the tab.
    }
  }
}

interface Kept {
  letters?: unknown;
  map?: unknown;
  sound?: unknown;
  stay?: unknown;
  snap?: unknown;
}

function read(): Kept {
  try {
    return (JSON.parse(localStorage.getItem(KEY) ?? "{}") ?? {}) as Kept;
  } catch {
    return {};
  }
}

export const habits = new Habits();
