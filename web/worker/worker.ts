/**
 * Keeps the page's own files on this device, so that it opens without a line. What people
 * write is not here: that is in the browser's storage, and the server has the rest.
 *
 * A version of the page is kept whole or not at all, each in a cache of its own. A new one
 * takes over at once; a page of the version before still finds its files.
 */

declare const self: ServiceWorkerGlobalScope;

/** The files of this version, as paths below the page's folder. The build puts them in. */
declare const FILES: readonly string[];
/** A name that changes with any of them. */
declare const VERSION: string;
/** The script that the page of this version loads. */
declare const ENTRY: string;

const PREFIX = "sticker-desk.page.";
const CACHE = PREFIX + VERSION;
/** Versions that stay: this one, and the one that open windows may still show. */
const VERSIONS_MAX = 2;

const { scope } = self.registration;
/** The page itself, under one address: it is the same for each desk. */
const PAGE = scope;

self.addEventListener("install", (event) => {
  void self.skipWaiting();
  event.waitUntil(keepAll());
});

self.addEventListener("activate", (event) => {
  event.waitUntil(Promise.all([self.clients.claim(), forgetOld()]));
});

// A page that was on its way while this worker took over belongs to none, and asks.
self.addEventListener("message", (event) => {
  event.waitUntil(self.clients.claim());
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET" || !request.url.startsWith(scope)) return;
  const path = new URL(request.url).pathname.slice(new URL(scope).pathname.length);
  if (request.mode === "navigate") {
    if (path === "" || path.startsWith("d/")) event.respondWith(page(event));
  } else if (FILES.includes(path) || path.startsWith("assets/")) {
    event.respondWith(file(request));
  }
});

async function keepAll(): Promise<void> {
  const cache = await caches.open(CACHE);
  try {
    if (!(await refresh(cache))) throw new Error("the server has another version by now");
    // What the page has loaded comes from the browser's own cache: the names hold hashes.
    await cache.addAll(FILES.map((path) => new URL(path, scope).href));
  } catch (error) {
    await caches.delete(CACHE);
    throw error;
  }
}

/** Asks the server for the page. `false`: it has another version. */
async function refresh(cache: Cache): Promise<boolean> {
  const answer = await fetch(PAGE, { cache: "no-cache" });
  // A proxy or a sign-in page on the way has a page of its own.
  if (!answer.ok || answer.redirected || !(await answer.clone().text()).includes(ENTRY)) return false;
  await cache.put(PAGE, answer);
  return true;
}

/** The page as it is kept; what the server says about it beside the page is asked for anew. */
async function page(event: FetchEvent): Promise<Response> {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(PAGE);
  if (kept === undefined) return fetch(event.request);
  event.waitUntil(
    refresh(cache).then(
      (current) => (current ? undefined : self.registration.update().then(() => undefined)),
      () => undefined,
    ),
  );
  return kept;
}

async function file(request: Request): Promise<Response> {
  return (await caches.match(request, { ignoreVary: true })) ?? fetch(request);
}

async function forgetOld(): Promise<void> {
  // Caches are listed in the order in which they were made.
  const kept = (await caches.keys()).filter((name) => name.startsWith(PREFIX) && name !== CACHE);
  const old = kept.slice(0, Math.max(0, kept.length - VERSIONS_MAX + 1));
  await Promise.all(old.map((name) => caches.delete(name)));
}
