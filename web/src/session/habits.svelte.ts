const KEY = "sticker-desk.habits";

/** How this person works with the page; kept on this device. */
class Habits {
  #letters = $state(read().letters !== false);
  #map = $state(read().map === true);

  /** Single letters and signs are keys of the board. */
  get letters(): boolean {
    return this.#letters;
  }

  set letters(are: boolean) {
    this.#letters = are;
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

  #keep(): void {
    try {
      localStorage.setItem(KEY, JSON.stringify({ letters: this.#letters, map: this.#map }));
    } catch {
      // The browser keeps nothing for this page: the habits last as long as the tab.
    }
  }
}

interface Kept {
  letters?: unknown;
  map?: unknown;
}

function read(): Kept {
  try {
    return (JSON.parse(localStorage.getItem(KEY) ?? "{}") ?? {}) as Kept;
  } catch {
    return {};
  }
}

export const habits = new Habits();
