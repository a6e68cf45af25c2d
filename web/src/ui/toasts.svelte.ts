/** A short message with at most one way to act on it. */
export interface Toast {
  id: number;
  message: string;
  action?: { label: string; run: () => void } | undefined;
}

/** Long enough to read and to reach the button. */
const SHOWN_MS = 6000;
const TOASTS_MAX = 3;

class Toasts {
  shown: Toast[] = $state.raw([]);
  #next = 1;

  show(message: string, action?: Toast["action"]): void {
    const id = this.#next++;
    this.shown = [...this.shown.slice(1 - TOASTS_MAX), { id, message, action }];
    setTimeout(() => this.hide(id), SHOWN_MS);
  }

  hide(id: number): void {
    this.shown = this.shown.filter((toast) => toast.id !== id);
  }
}

export const toasts = new Toasts();
