/**
 * The page's own files on this device, kept by `web/worker`: the page opens without a line,
 * and hears of a newer version of itself.
 */

/** A page that comes back into sight asks for a newer version after this time, in milliseconds. */
const ASK_MS = 600_000;

let isOld = $state(false);

/** A newer version of the page has taken over: this one is shown until it is loaded again. */
export function pageIsOld(): boolean {
  return isOld;
}

/** Has the page kept, once it is there: what the person waits for comes first. */
export function keepPage(): void {
  // Only secure origins have service workers, and `npm run dev` has none.
  if (!import.meta.env.PROD || navigator.serviceWorker === undefined) return;
  if (document.readyState === "complete") void register();
  else addEventListener("load", () => void register(), { once: true });
}

async function register(): Promise<void> {
  const { serviceWorker } = navigator;
  let isKept = serviceWorker.controller !== null;
  serviceWorker.addEventListener("controllerchange", () => {
    isOld ||= isKept;
    isKept = true;
  });
  // Scripts lie in a folder below the page's, wherever the page is served.
  const script = import.meta.url;
  try {
    const kept = await serviceWorker.register(new URL("../sw.js", script));
    void serviceWorker.ready.then(({ active }) => {
      // The worker took over while this page was on its way, and did not see it.
      if (serviceWorker.controller === null) active?.postMessage("claim");
    });
    let asked = performance.now();
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState !== "visible" || performance.now() - asked < ASK_MS) return;
      asked = performance.now();
      kept.update().catch(() => undefined);
    });
  } catch {
    // The browser keeps nothing for this page: it works as long as there is a line.
  }
}
