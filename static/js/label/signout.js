// Signing out empties what the label page keeps in this browser, after a warning if answers still
// wait there. For every page with <form data-sign-out data-warning="{n} answers …">.

const PREFIX = "labelapp:";
let leaving = false;

// In the capturing phase: no other listener shall take the held-back submit for the real one.
document.addEventListener(
  "submit",
  (event) => {
    const form = event.target;
    if (leaving || !(form instanceof HTMLFormElement) || !("signOut" in form.dataset)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    void leave(form);
  },
  { capture: true },
);

async function leave(form) {
  const names = await databases();
  const waiting = await countWaiting(names);
  if (waiting && !confirm((form.dataset.warning ?? "").replace("{n}", String(waiting)))) return;
  await wipe(names);
  leaving = true;
  form.requestSubmit();
}

/** The databases of the label page, of every person and project in this browser. */
async function databases() {
  const all = (await globalThis.indexedDB?.databases?.().catch(() => [])) ?? [];
  return all.map((database) => database.name).filter((name) => name?.startsWith(PREFIX));
}

async function countWaiting(names) {
  let total = 0;
  for (const name of names) total += await countIn(name).catch(() => 0);
  return total;
}

function countIn(name) {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(name);
    request.onerror = () => reject(request.error);
    request.onsuccess = () => {
      const database = request.result;
      const count = database.transaction("outbox").objectStore("outbox").count();
      count.onerror = () => reject(count.error);
      count.onsuccess = () => {
        database.close();
        resolve(count.result);
      };
    };
  });
}

/** Delete the databases and the kept label pages. A blocked deletion happens when the last tab closes. */
async function wipe(names) {
  await Promise.all(
    names.map(
      (name) =>
        new Promise((resolve) => {
          const request = indexedDB.deleteDatabase(name);
          request.onsuccess = request.onerror = request.onblocked = resolve;
        }),
    ),
  );
  const kept = (await globalThis.caches?.keys().catch(() => [])) ?? [];
  for (const key of kept) if (key.startsWith(PREFIX)) await caches.delete(key);
}
