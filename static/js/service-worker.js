// Lets the label page be reloaded without a network. It keeps the last good copy of each label page and
// of the files that page uses, and nothing else: no reply of the API, no other page. With a network the
// network is always asked first, so that nobody works on an old page.

const CACHE = "labelapp:shell-1";
const PAGE = /\/projects\/[^/]+\/label\/?$/;
const PATIENCE_MS = 4000;
// Replies differ by cookie and encoding; here there is one copy of each, for one browser.
const ANY = { ignoreVary: true };

self.addEventListener("install", () => self.skipWaiting());

self.addEventListener("activate", (event) => {
  event.waitUntil(
    (async () => {
      for (const key of await caches.keys()) {
        if (key.startsWith("labelapp:shell-") && key !== CACHE) await caches.delete(key);
      }
      await self.clients.claim();
    })(),
  );
});

self.addEventListener("message", (event) => {
  if (event.data?.type === "shell") event.waitUntil(keep(event.data.page, event.data.files));
});

/** Keep a page that is open now, with its files. What the browser loaded a moment ago is taken from its
 *  own cache ("force-cache"), so that this costs no second download. */
async function keep(page, files) {
  const cache = await caches.open(CACHE);
  const here = files.filter((file) => new URL(file).origin === self.location.origin && !isApi(new URL(file)));
  await Promise.all(
    here.map(async (file) => {
      const reply = await fetch(file, { cache: "force-cache" });
      if (reply.ok) await cache.put(file, reply);
    }),
  );
  if (PAGE.test(page) && !(await cache.match(page, ANY))) await keepPage(page, await fetch(page, { cache: "force-cache" }));
}

/** Only a real label page is kept: not the sign-in page, not the page of a hotel's network. */
async function keepPage(page, reply) {
  if (reply.status !== 200 || reply.redirected) return;
  if (!(reply.headers.get("Content-Type") ?? "").startsWith("text/html")) return;
  const text = await reply.clone().text();
  if (!text.includes('id="boot"')) return;
  const cache = await caches.open(CACHE);
  await cache.put(page, reply);
}

const isApi = (url) => url.pathname.includes("/api/");

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== self.location.origin || isApi(url)) return;
  if (request.mode === "navigate") {
    if (PAGE.test(url.pathname)) event.respondWith(openPage(event, url.pathname));
  } else if (["script", "style", "font"].includes(request.destination)) {
    event.respondWith(openFile(request));
  }
});

async function openPage(event, page) {
  try {
    const reply = await inTime(fetch(event.request), await caches.match(page, ANY));
    if (reply.status >= 500) return (await caches.match(page, ANY)) ?? reply;
    event.waitUntil(keepPage(page, reply.clone()));
    return reply;
  } catch (error) {
    const kept = await caches.match(page, ANY);
    if (kept) return kept;
    throw error;
  }
}

/** Files of a page that is kept: the network, or the kept copy. */
async function openFile(request) {
  try {
    return await fetch(request);
  } catch (error) {
    const kept = await caches.match(request, ANY);
    if (kept) return kept;
    throw error;
  }
}

/** A network that neither answers nor fails counts as none, if there is a copy to show. */
function inTime(reply, kept) {
  if (!kept) return reply;
  return Promise.race([
    reply,
    new Promise((_, reject) => {
      setTimeout(() => reject(new Error("no answer in time")), PATIENCE_MS);
    }),
  ]);
}
