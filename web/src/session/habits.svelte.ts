const KEY = "sticker-desk.habits";

/** How this person works with the page; kept on this device. */
class Habits {
  #letters = $state(read().letters !== false);

  /** Single letters and signs are keys of the board. */
  get letters(): boolean {
    return this.#letters;
  }

  set letters(are: boolean) {
    this.#letters = are;
    try {
      localStorage.setItem(KEY, JSON.stringify({ letters: are }));
    } catch {
      // The browser keeps nothing for this page: the habit lasts as long as the tab.
    }
  }
}

function read(): { letters?: unknown } {
  try {
    return (JSON.parse(localStorage.getItem(KEY) ?? "{}") ?? {}) as { letters?: unknown };
  } catch {
    return {};
  }
}

export const habits = new Habits();
