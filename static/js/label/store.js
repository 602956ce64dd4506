// What the browser keeps for one person in one project: leases, answers that wait, the last ten
// answers and images of leased items. The names of the databases carry the person and the project,
// so whoever signs in next on the same computer neither sees nor sends another person's work.

const PREFIX = "labelapp:";
const VERSION = 1;
const STORES = { leases: "id", outbox: "key", recent: "key", images: "url", meta: "name" };

/** A database of this page. Writing never throws: a browser that keeps nothing (private window, full
 *  disk) must not stop the labeling; `durable` then says so, and the page tells the person. */
export class Store {
  constructor(database) {
    this.database = database;
    this.durable = database !== null;
  }

  static async open(member, project) {
    try {
      return new Store(await open(`${PREFIX}${member}:${project}`));
    } catch {
      return new Store(null);
    }
  }

  /** Every record of one store, by its key. */
  async all(name) {
    if (!this.database) return [];
    try {
      return await done(this.database.transaction(name).objectStore(name).getAll());
    } catch {
      return [];
    }
  }

  async get(name, key) {
    if (!this.database) return undefined;
    try {
      return await done(this.database.transaction(name).objectStore(name).get(key));
    } catch {
      return undefined;
    }
  }

  /** Several changes in one transaction: [[store, "put", record] | [store, "delete", key] |
   *  [store, "clear"]]. Resolves when they are in the browser's storage; false if they are not. */
  async write(changes) {
    if (!this.database) return false;
    try {
      const names = [...new Set(changes.map(([name]) => name))];
      const transaction = this.database.transaction(names, "readwrite");
      for (const [name, verb, value] of changes) transaction.objectStore(name)[verb](value);
      await finished(transaction);
      return true;
    } catch {
      this.durable = false;
      return false;
    }
  }

  close() {
    this.database?.close();
  }
}

function done(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

function finished(transaction) {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error);
    transaction.onerror = () => reject(transaction.error);
  });
}

function open(name) {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(name, VERSION);
    request.onupgradeneeded = () => {
      for (const [store, keyPath] of Object.entries(STORES)) {
        if (!request.result.objectStoreNames.contains(store)) request.result.createObjectStore(store, { keyPath });
      }
    };
    request.onsuccess = () => {
      // Signing out elsewhere deletes this database; it must not have to wait for this tab.
      request.result.onversionchange = () => request.result.close();
      remember(name);
      resolve(request.result);
    };
    request.onerror = () => reject(request.error);
    request.onblocked = () => reject(new Error("blocked"));
  });
}

// Not every browser can list its databases, so their names are also written down.
const LIST = "labelapp:databases";

function listed() {
  try {
    return JSON.parse(localStorage.getItem(LIST) ?? "[]");
  } catch {
    return [];
  }
}

function remember(name) {
  try {
    localStorage.setItem(LIST, JSON.stringify([...new Set([...listed(), name])]));
  } catch {
    // Then indexedDB.databases() is the only list.
  }
}

async function names() {
  const found = (await indexedDB.databases?.().catch(() => [])) ?? [];
  const ours = found.map((database) => database.name).filter((name) => name?.startsWith(PREFIX));
  return [...new Set([...listed(), ...ours])];
}

/** How many answers wait in this browser, over all projects and people. */
export async function countWaiting() {
  let total = 0;
  for (const name of await names()) {
    try {
      const store = new Store(await open(name));
      total += (await store.all("outbox")).length;
      store.close();
    } catch {
      // A database that cannot be opened holds nothing that could be sent.
    }
  }
  return total;
}

/** Forget everything: databases, the cached label pages, and the list itself. */
export async function wipe() {
  for (const name of await names()) {
    await new Promise((resolve) => {
      const request = indexedDB.deleteDatabase(name);
      request.onsuccess = request.onerror = request.onblocked = resolve;
    });
  }
  try {
    localStorage.removeItem(LIST);
    if (globalThis.caches) {
      for (const key of await caches.keys()) if (key.startsWith(PREFIX)) await caches.delete(key);
    }
  } catch {
    // Nothing kept, nothing to forget.
  }
}
