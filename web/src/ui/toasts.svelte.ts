/** A short message with at most one way to act on it. */
export interface Toast {
  id: number;
  message: string;
  action?: { label: string; run: () => void } | undefined;
  /** Whether it still applies; asked anew when what it reads changes. */
  applies?: (() => boolean) | undefined;
  /** It stays, and can be put away. */
  stays?: boolean;
}

/** A message about something that goes on. */
export interface Notice {
  say(message: string): void;
  end(): void;
}

/** Long enough to read and to reach the button; a reason takes longer to read. */
const SHOWN_MS = 6000;
const REASON_MS = 15_000;
const TOASTS_MAX = 3;

class Toasts {
  shown: Toast[] = $state.raw([]);
  #next = 1;

  show(message: string, action?: Toast["action"], applies?: Toast["applies"]): void {
    this.#hideLater(this.#put(message, action, false, applies), SHOWN_MS);
  }

  /** Why something was not done. */
  warn(message: string, action?: Toast["action"]): void {
    this.#hideLater(this.#put(message, action), REASON_MS);
  }

  /** Stays until it is acted upon or put away. */
  ask(message: string, action: NonNullable<Toast["action"]>): void {
    this.#put(message, action, true);
  }

  /** Stays until it is ended. */
  hold(message: string): Notice {
    const id = this.#put(message);
    return {
      say: (next) => {
        this.shown = this.shown.map((toast) => (toast.id === id ? { ...toast, message: next } : toast));
      },
      end: () => this.hide(id),
    };
  }

  /** Nothing that is said applies any more. */
  clear(): void {
    this.shown = [];
  }

  hide(id: number): void {
    this.shown = this.shown.filter((toast) => toast.id !== id);
  }

  #put(message: string, action?: Toast["action"], stays = false, applies?: Toast["applies"]): number {
    const id = this.#next++;
    this.shown = [...this.shown.slice(1 - TOASTS_MAX), { id, message, action, stays, applies }];
    return id;
  }

  #hideLater(id: number, after: number): void {
    setTimeout(() => this.hide(id), after);
  }
}

export const toasts = new Toasts();
