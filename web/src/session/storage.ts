/**
 * What this browser keeps of desks: one record a client (a tab), so that work
 * survives a reload. The core's bytes are opaque here.
 */
export interface StoredClient {
  key: string;
  /** The desk's id in the page's address. */
  desk: string;
  role: string;
  /** Milliseconds since the Unix epoch. */
  expiresAt: number;
  /** Changes that no server has confirmed. */
  pending: number;
  savedAt: number;
}

const NAME = "sticker-desk";
const VERSION = 1;
/** An expired desk stays readable on this device for so long, in milliseconds. */
export const GRACE_MS = 30 * 24 * 3600 * 1000;

export class Storage {
  private constructor(private readonly database: IDBDatabase) {}

  /** Fails where the browser keeps nothing, as in some private windows. */
  static async open(): Promise<Storage> {
    const request = indexedDB.open(NAME, VERSION);
    request.onupgradeneeded = () => {
      const database = request.result;
      database.createObjectStore("clients", { keyPath: "key" }).createIndex("desk", "desk");
      database.createObjectStore("bases");
      database.createObjectStore("queues");
    };
    const database = await answer(request);
    // A newer page wants to change the layout: it waits for nobody.
    database.onversionchange = () => database.close();
    return new Storage(database);
  }

  /** The clients of a desk, those with unsent work first, then the newest. */
  async clients(desk: string): Promise<StoredClient[]> {
    const transaction = this.database.transaction("clients");
    const index = transaction.objectStore("clients").index("desk");
    const found = await answer<StoredClient[]>(index.getAll(desk));
    return found.sort((a, b) => b.pending - a.pending || b.savedAt - a.savedAt);
  }

  /** One client's row as it is now. */
  client(key: string): Promise<StoredClient | undefined> {
    return answer<StoredClient | undefined>(
      this.database.transaction("clients").objectStore("clients").get(key),
    );
  }

  async load(key: string): Promise<{ base: Uint8Array; queue: Uint8Array } | undefined> {
    const transaction = this.database.transaction(["bases", "queues"]);
    const [base, queue] = await Promise.all([
      answer<Uint8Array | undefined>(transaction.objectStore("bases").get(key)),
      answer<Uint8Array | undefined>(transaction.objectStore("queues").get(key)),
    ]);
    return base === undefined || queue === undefined ? undefined : { base, queue };
  }

  /** Writes all of it or nothing; done when it is on disk. */
  save(client: StoredClient, base: Uint8Array | undefined, queue: Uint8Array): Promise<void> {
    const transaction = this.database.transaction(["clients", "bases", "queues"], "readwrite", {
      // "relaxed" may lose the last seconds when the machine stops, which is when it matters.
      durability: "strict",
    });
    transaction.objectStore("clients").put(client);
    if (base !== undefined) transaction.objectStore("bases").put(base, client.key);
    transaction.objectStore("queues").put(queue, client.key);
    return done(transaction);
  }

  remove(keys: readonly string[]): Promise<void> {
    const transaction = this.database.transaction(["clients", "bases", "queues"], "readwrite");
    for (const key of keys) {
      for (const name of ["clients", "bases", "queues"]) transaction.objectStore(name).delete(key);
    }
    return done(transaction);
  }

  /** The desks that this device has a copy of. */
  async desks(): Promise<Set<string>> {
    const index = this.database.transaction("clients").objectStore("clients").index("desk");
    return new Set((await answer<StoredClient[]>(index.getAll())).map((client) => client.desk));
  }

  /** Forgets what no desk needs any more. */
  async sweep(now: number): Promise<void> {
    const all = await answer<StoredClient[]>(
      this.database.transaction("clients").objectStore("clients").getAll(),
    );
    const stale = all.filter((client) => client.expiresAt + GRACE_MS < now);
    if (stale.length > 0) await this.remove(stale.map((client) => client.key));
  }

  close(): void {
    this.database.close();
  }
}

function answer<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error("the browser's storage failed"));
  });
}

function done(transaction: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onerror = transaction.onabort = () =>
      reject(transaction.error ?? new Error("the browser's storage failed"));
  });
}
