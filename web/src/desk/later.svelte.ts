type Parts = typeof import("./parts");

/** Dialogs and panels: they are loaded once a desk is shown, or when one is asked for. */
class Later {
  parts: Parts | undefined = $state.raw();
  #loading: Promise<Parts> | undefined;

  /** `false`: they cannot be had now, for want of a line or because the server has newer ones. */
  async load(): Promise<boolean> {
    this.#loading ??= import("./parts");
    try {
      this.parts = await this.#loading;
      return true;
    } catch {
      this.#loading = undefined;
      return false;
    }
  }

  /** Loads them when the page has nothing else to do; answers how to give that up. */
  loadWhenIdle(): () => void {
    // Safari has no such callback.
    if (typeof requestIdleCallback === "undefined") {
      const timer = setTimeout(() => void this.load());
      return () => clearTimeout(timer);
    }
    const call = requestIdleCallback(() => void this.load());
    return () => cancelIdleCallback(call);
  }
}

export const later = new Later();
