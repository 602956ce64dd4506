// The way of an answer from the key to the server. An answer is first kept in the browser, then sent
// by one sender, in order, each with its own Idempotency-Key, until the server has named it as saved.
// The labeling never waits for any of this. Only the tab that holds the lock of the project sends.

import { backoff, mergeLeases, retryAfterSeconds, toExtend, verdict } from "./state.js";

const REQUEST_TIMEOUT_MS = 20_000;
const RECENT = 10;
/** The server's limit of leases in one request. */
const MOST_HELD = 20;
/** Refusals after which the lease is gone and the server may hold the answer as a draft. */
const DRAFTED = new Set(["lease-expired", "lease-closed", "item-changed", "project-archived", "member-paused", "already-answered", "not-found"]);
/** A skip, later or flag waits this long before it is sent, because it cannot be taken back after. */
export const TAKE_BACK_MS = 5_000;
/** Under way for longer than this is called waiting. */
const SLOW_MS = 1_500;

// Keeping ------------------------------------------------------------------------------------------

// The names of the databases carry the person and the project, so whoever signs in next on the same
// computer neither sees nor sends another person's work. signout.js deletes all with this beginning.
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
    if (!changes.length) return true;
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
      resolve(request.result);
    };
    request.onerror = () => reject(request.error);
    request.onblocked = () => reject(new Error("blocked"));
  });
}

// Sending ------------------------------------------------------------------------------------------

/** A random id; crypto.randomUUID exists only on https and localhost. */
export function uuid() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** Requests to the API: never throws; status 0 stands for "no answer from the server". */
export class Api {
  constructor(csrfCookie) {
    this.csrfCookie = csrfCookie;
    this.skew = 0;
  }

  /** The server's clock, as far as its replies told it; the clock of the browser may be hours off. */
  now() {
    return Date.now() + this.skew;
  }

  /** {status, json, retryAfter} of one request; the body is an object, ready JSON, or a form. */
  async request(method, url, body = null, key = null) {
    const headers = { Accept: "application/json" };
    const isForm = body instanceof URLSearchParams;
    const text = body === null || typeof body === "string" || isForm ? body : JSON.stringify(body);
    if (text !== null && !isForm) headers["Content-Type"] = "application/json";
    if (method !== "GET") headers["X-CSRFToken"] = this.csrfToken();
    if (key) headers["Idempotency-Key"] = key;
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), REQUEST_TIMEOUT_MS);
    try {
      const reply = await fetch(url, {
        method,
        headers,
        body: text,
        credentials: "same-origin",
        // A redirect is the sign-in page or somebody else's network, never our API.
        redirect: "manual",
        // A reply that is on its way survives the closing of the tab (browsers allow 64 kB of these).
        keepalive: typeof text === "string" && text.length < 16_000,
        signal: abort.signal,
      });
      return await this.read(reply);
    } catch {
      return { status: 0, json: null, retryAfter: null };
    } finally {
      clearTimeout(timer);
    }
  }

  async read(reply) {
    if (reply.type === "opaqueredirect") return { status: 302, json: null, retryAfter: null };
    const date = Date.parse(reply.headers.get("Date") ?? "");
    if (!Number.isNaN(date)) this.skew = date - Date.now();
    const isJson = /[/+]json\b/.test(reply.headers.get("Content-Type") ?? "");
    const json = isJson ? await reply.json().catch(() => null) : null;
    return { status: reply.status, json, retryAfter: retryAfterSeconds(reply.headers.get("Retry-After"), this.now()) };
  }

  csrfToken() {
    const start = `${this.csrfCookie}=`;
    const cookie = document.cookie.split("; ").find((part) => part.startsWith(start));
    return cookie ? decodeURIComponent(cookie.slice(start.length)) : "";
  }
}

/** Leases held, answers that wait, and the last ten answers of one person in one project.
 *
 *  Memory is what the page works with; the store is written behind it and read once, at the start.
 *  `changed` is called after every change that a person could see, `learned` with what the server says about an
 *  answer of a training round. */
export class Outbox {
  constructor({ project, urls, settings, questions, store, api, changed, learned }) {
    Object.assign(this, { project, urls, settings, questions, store, api, changed, learned });
    this.drafts = [];
    this.leases = [];
    this.entries = [];
    this.recent = [];
    this.done = new Set();
    this.stored = new Map();
    this.offline = false;
    this.active = false;
    this.looping = false;
    this.wantsLeases = false;
    this.refreshed = false;
    this.progress = null;
    this.empty = null;
    this.net = { is: "ok", failures: 0, retryAt: 0, code: null, reason: null };
    this.lastSeq = 0;
    this.wake = () => {};
  }

  /** Take up what an earlier page left in the browser. */
  async load() {
    const [leases, entries, recent, offline, progress] = await Promise.all([
      this.store.all("leases"),
      this.store.all("outbox"),
      this.store.all("recent"),
      this.store.get("meta", "offline"),
      this.store.get("meta", "progress"),
    ]);
    this.refreshed = false;
    this.done = new Set();
    this.stored = new Map();
    this.entries = entries.sort((a, b) => a.seq - b.seq);
    this.recent = recent.sort((a, b) => b.seq - a.seq);
    for (const record of [...entries, ...recent]) {
      const isNote = record.kind === "inquiry" || (record.kind === "flag" && !record.whole);
      if (!isNote) this.done.add(record.lease);
      this.lastSeq = Math.max(this.lastSeq, record.seq);
    }
    this.offline = offline?.value ?? false;
    this.progress = progress?.value ?? null;
    this.leases = leases.filter((lease) => !this.done.has(lease.id)).sort((a, b) => a.place - b.place);
  }

  // What the page shows --------------------------------------------------------------------------

  get waiting() {
    return this.entries.filter((entry) => entry.state === "waiting");
  }

  get refused() {
    return this.entries.filter((entry) => entry.state === "refused");
  }

  /** {is, waiting, refused, ...}: one word for the bar, and what its dialog tells. */
  status() {
    const waiting = this.waiting;
    const slow = waiting.some((entry) => Date.now() - (entry.notBefore ?? entry.at) > SLOW_MS);
    let is = "saved";
    if (this.net.is !== "ok") is = this.net.is;
    else if (waiting.length) is = slow ? "waiting" : "saving";
    return {
      is,
      waiting: waiting.length,
      refused: this.refused.length,
      retryAt: this.net.retryAt,
      reason: this.net.reason,
      code: this.net.code,
      durable: this.store.durable,
    };
  }

  /** Answers given today, with those that wait; null while the server has not said how many it has. */
  mineToday() {
    if (!this.progress) return null;
    const waiting = this.waiting.filter((entry) => entry.kind === "annotation").length;
    return (this.progress.mine_today ?? 0) + waiting;
  }

  // What a person does ---------------------------------------------------------------------------

  seq() {
    this.lastSeq = Math.max(this.lastSeq + 1, Date.now());
    return this.lastSeq;
  }

  /** Answers as they are sent: with the ids that the classes had on this page, whose names may change meanwhile. */
  content(answers) {
    const classes = {};
    for (const { key, ids } of this.questions) {
      const names = [answers[key]].flat().filter((name) => Object.hasOwn(ids, name));
      if (names.length) classes[key] = Object.fromEntries(names.map((name) => [name, ids[name]]));
    }
    return { answers, classes };
  }

  /** Answer a lease. Returns at once; the answer is stored and sent behind. */
  answer(lease, answers, elapsed) {
    const entry = this.entry("annotation", lease, { ...this.content(answers), elapsed_ms: Math.round(elapsed) });
    const record = { key: entry.key, seq: entry.seq, lease: lease.id, item: lease.item, answers, annotation: null };
    const dropped = this.pushRecent(record);
    this.add(entry, [["recent", "put", record], ...dropped]);
    return entry;
  }

  /** Skip, put off or report a lease as broken; it can be taken back for a few seconds. */
  putAway(kind, lease, body) {
    const entry = this.entry(kind, lease, body);
    entry.notBefore = Date.now() + TAKE_BACK_MS;
    entry.whole = lease;
    this.add(entry, []);
    return entry;
  }

  /** A note on an item that stays in hand, or a question about it ("inquiry"). */
  note(lease, body, kind = "flag") {
    const entry = this.entry(kind, lease, body);
    this.entries.push(entry);
    void this.keep(entry);
    this.changed();
    this.wake();
    return entry;
  }

  entry(kind, lease, body) {
    return {
      key: uuid(),
      seq: this.seq(),
      kind,
      lease: lease.id,
      item: lease.item,
      body,
      at: Date.now(),
      attempts: 0,
      state: "waiting",
    };
  }

  add(entry, more) {
    this.leases = this.leases.filter((lease) => lease.id !== entry.lease);
    this.done.add(entry.lease);
    this.entries.push(entry);
    this.keep(entry, [["leases", "delete", entry.lease], ...more]);
    this.changed();
    this.wake();
  }

  /** Write an entry through to the browser's storage; sending waits for it. */
  keep(entry, more = []) {
    const written = this.store.write([["outbox", "put", entry], ...more]);
    this.stored.set(entry.key, written);
    return written;
  }

  pushRecent(record) {
    this.recent.unshift(record);
    const dropped = this.recent.splice(RECENT);
    return dropped.map((old) => ["recent", "delete", old.key]);
  }

  /** Bring back what was put away, if it has not been tried yet: the lease, or null. */
  takeBack(entry) {
    if (entry.attempts > 0 || !this.entries.includes(entry)) return null;
    const lease = entry.whole;
    this.entries = this.entries.filter((other) => other !== entry);
    this.done.delete(lease.id);
    lease.place = Math.min(0, ...this.leases.map((other) => other.place)) - 1;
    this.leases.unshift(lease);
    void this.store.write([["outbox", "delete", entry.key], ["leases", "put", lease]]);
    this.changed();
    return lease;
  }

  /** What undo would reopen: {entry} of something put away, {record} of an answer, or null. */
  lastAction(before = Infinity) {
    const away = this.entries.filter((entry) => entry.whole && entry.attempts === 0 && entry.seq < before).at(-1);
    const record = this.recent.find((candidate) => candidate.seq < before);
    if (away && (!record || away.seq > record.seq)) return { entry: away };
    return record ? { record } : null;
  }

  /** Change an earlier answer: in place while nobody has tried to send it, else as a new revision. */
  change(record, answers) {
    const unsent = this.entries.find(
      (entry) => entry.attempts === 0 && entry.state === "waiting" && (entry.key === record.key || entry.of === record.key),
    );
    const refused = this.refused.find((entry) => entry.key === record.key || entry.of === record.key);
    record.answers = answers;
    const more = this.recent.includes(record) ? [["recent", "put", record]] : [];
    if (unsent) {
      unsent.body = { ...unsent.body, ...this.content(answers) };
      void this.keep(unsent, more);
    } else if (refused) {
      this.retry(refused, answers, more, record);
    } else {
      const entry = {
        key: uuid(),
        seq: this.seq(),
        kind: "revision",
        of: record.key,
        annotation: record.annotation,
        lease: record.lease,
        item: record.item,
        body: this.content(answers),
        at: Date.now(),
        attempts: 0,
        state: "waiting",
      };
      this.entries.push(entry);
      void this.keep(entry, more);
    }
    this.changed();
    this.wake();
  }

  /** Send a refused entry again, under a new key because its content or the reason has changed. */
  retry(entry, answers = null, more = [], record = this.recent.find((one) => one.key === entry.key)) {
    const body = answers ? { ...entry.body, ...this.content(answers) } : entry.body;
    const again = { ...entry, key: uuid(), state: "waiting", attempts: 0, at: Date.now(), body };
    for (const field of ["sent", "code", "reason", "errors", "notBefore"]) delete again[field];
    this.entries = this.entries.map((other) => (other === entry ? again : other));
    const changes = [["outbox", "delete", entry.key], ...more];
    if (record && entry.kind === "annotation") {
      changes.push(["recent", "delete", record.key]);
      record.key = again.key;
      if (this.recent.includes(record)) changes.push(["recent", "put", record]);
    }
    void this.keep(again, changes);
    this.changed();
    this.kick();
  }

  /** Send a refused entry again as it is: as the draft that the server made of it, or anew.
   *  Returns the reason if the server refuses the draft again. */
  async again(entry) {
    const draft = await this.draftOf(entry);
    if (!draft) return void this.retry(entry);
    const reply = await this.api.request("POST", `${this.urls.drafts}/${draft.id}`, {});
    if (reply.status !== 201 || String(reply.json?.annotation?.item) !== String(draft.item)) {
      return reply.json?.detail ?? "";
    }
    this.drafts = this.drafts.filter((other) => other !== draft);
    void this.store.write(this.named(entry, reply.json.annotation.id));
    return void this.drop(entry);
  }

  /** Forget a refused entry, and the server's draft of it, because the person said so. */
  async discard(entry) {
    const draft = await this.draftOf(entry);
    if (draft) {
      await this.api.request("DELETE", `${this.urls.drafts}/${draft.id}`);
      this.drafts = this.drafts.filter((other) => other !== draft);
    }
    this.drop(entry);
  }

  drop(entry) {
    this.entries = this.entries.filter((other) => other !== entry);
    // If the lease is still good, its item may come again.
    this.done.delete(entry.lease);
    this.wantsLeases = !this.leases.length;
    this.wake();
    void this.store.write([["outbox", "delete", entry.key]]);
    this.changed();
  }

  async draftOf(entry) {
    if (entry.draft) return entry.draft;
    if (!DRAFTED.has(entry.code)) return null;
    await this.fetchDrafts();
    return this.drafts.find((draft) => draft.item === entry.item.id) ?? null;
  }

  /** Late answers of this project that the server keeps uncounted. */
  async fetchDrafts() {
    const reply = await this.api.request("GET", this.urls.drafts);
    if (reply.status !== 200 || !Array.isArray(reply.json)) return;
    this.drafts = reply.json.filter((draft) => draft.project === this.project);
  }

  /** All that was refused: what this browser holds, and drafts of other browsers. */
  refusals() {
    const here = new Set(this.refused.map((entry) => entry.item.id));
    const elsewhere = this.drafts.filter((draft) => !here.has(draft.item));
    return [
      ...this.refused,
      ...elsewhere.map((draft) => ({
        kind: "draft",
        key: `draft-${draft.id}`,
        draft,
        item: { id: draft.item },
        body: { answers: draft.answers },
        code: draft.because,
      })),
    ];
  }

  /** Hold more items ahead (or no longer). */
  workOffline(on) {
    this.offline = on;
    this.wantsLeases = on;
    void this.store.write([["meta", "put", { name: "offline", value: on }]]);
    if (on) void navigator.storage?.persist?.();
    this.changed();
    this.kick();
  }

  /** How many leases to hold in all. Refused answers do not use up the places of the next items. */
  get ahead() {
    const ahead = this.offline ? this.settings.offline_ahead : this.settings.ahead;
    return Math.min(MOST_HELD, ahead + this.refusedLeases().length);
  }

  // Sending --------------------------------------------------------------------------------------

  /** Begin to send; ends with stop(). */
  start() {
    if (this.active) return;
    this.active = true;
    this.wantsLeases = true;
    if (!this.looping) void this.loop();
    else this.wake();
  }

  stop() {
    this.active = false;
    this.wake();
  }

  /** Try now, whatever the waiting time was: the network is back, or the person asks. */
  kick() {
    this.net.retryAt = 0;
    this.wake();
  }

  async loop() {
    this.looping = true;
    while (this.active) {
      const now = Date.now();
      const entry = this.waiting.find((one) => !(one.notBefore > now));
      if (!entry && !this.wantsLeases) {
        const held = this.waiting.map((one) => one.notBefore);
        await this.sleep(held.length ? Math.min(...held) - now : null);
      } else if (this.net.retryAt > now) {
        await this.sleep(this.net.retryAt - now);
      } else if (entry) {
        await this.send(entry);
      } else {
        await this.fetchLeases();
      }
    }
    this.looping = false;
  }

  sleep(ms) {
    return new Promise((resolve) => {
      const timer = ms === null ? null : setTimeout(resolve, Math.max(ms, 5));
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Leases whose answers are on their way. */
  waitingLeases(except = null) {
    const waiting = this.waiting.filter((entry) => entry !== except && entry.kind !== "revision" && entry.kind !== "inquiry");
    return [...new Set(waiting.map((entry) => entry.lease))].slice(0, MOST_HELD);
  }

  /** Leases that are still this person's although the answer was refused: it can be corrected. */
  refusedLeases() {
    const open = this.refused.filter((entry) => entry.kind === "annotation" && !DRAFTED.has(entry.code));
    return open.map((entry) => entry.lease);
  }

  /** Leases the server need not send: those in hand, and those whose answers are on their way or refused. */
  have(except = null) {
    const ids = [...this.leases.map((lease) => lease.id), ...this.waitingLeases(except), ...this.refusedLeases()];
    return [...new Set(ids)].slice(0, MOST_HELD);
  }

  async send(entry) {
    await this.stored.get(entry.key);
    this.stored.delete(entry.key);
    if (!this.entries.includes(entry)) return;
    // The first try fixes the body: the same key must always carry the same bytes.
    if (!entry.sent) {
      const alone = entry.kind === "revision" || entry.kind === "inquiry";
      const more = alone ? {} : { have: this.have(entry), count: this.ahead };
      entry.sent = JSON.stringify({ ...entry.body, ...more });
    }
    entry.attempts += 1;
    await this.store.write([["outbox", "put", entry]]);
    if (!this.active) return;
    const [method, url] = this.address(entry);
    const reply = await this.api.request(method, url, entry.sent, entry.key);
    this.settle(entry, reply);
  }

  address(entry) {
    if (entry.kind === "revision") return ["PATCH", `${this.urls.annotations}${entry.annotation}`];
    if (entry.kind === "inquiry") return ["POST", this.urls.inquiries];
    return ["POST", `${this.urls.lease}${entry.lease}/${entry.kind}`];
  }

  settle(entry, reply) {
    const meaning = verdict(entry, reply);
    if (meaning.is === "saved") this.saved(entry, reply.json);
    else if (meaning.is === "refused") this.refuse(entry, meaning);
    else this.trouble(meaning);
    this.changed();
  }

  saved(entry, json) {
    this.entries = this.entries.filter((other) => other !== entry);
    const changes = [["outbox", "delete", entry.key]];
    if (json.annotation) changes.push(...this.named(entry, json.annotation.id));
    this.calm();
    if (json.feedback) {
      // What was told to be right or wrong stays as it was answered.
      this.recent = this.recent.filter((record) => record.key !== entry.key);
      changes.push(["recent", "delete", entry.key]);
      this.learned(entry, json.feedback);
    }
    if (Array.isArray(json.next)) this.takeIn({ ...json, leases: json.next }, changes);
    if (!this.leases.length && !this.empty && !this.waiting.length) this.wantsLeases = true;
    void this.store.write(changes);
  }

  /** The server has named the annotation: later corrections go there. */
  named(entry, id) {
    const changes = [];
    const key = entry.of ?? entry.key;
    for (const record of this.recent.filter((one) => one.key === key)) {
      record.annotation = id;
      changes.push(["recent", "put", record]);
    }
    for (const other of this.entries.filter((one) => one.of === key)) {
      other.annotation = id;
      changes.push(["outbox", "put", other]);
    }
    return changes;
  }

  refuse(entry, { code, reason, errors }) {
    Object.assign(entry, { state: "refused", code, reason, errors });
    delete entry.whole;
    const changes = [["outbox", "put", entry]];
    // A correction that waited behind a refused answer has nothing to correct: it becomes its content.
    for (const later of this.entries.filter((one) => one.of === entry.key && one.state === "waiting")) {
      entry.body = { ...entry.body, ...later.body };
      this.entries = this.entries.filter((other) => other !== later);
      changes.push(["outbox", "delete", later.key]);
    }
    this.calm();
    this.wantsLeases = this.wantsLeases || this.leases.length < this.ahead;
    void this.store.write(changes);
  }

  trouble({ is, code = null, reason = null, retryAfter = null }) {
    const kind = is === "retry" ? (code === "no_network" ? "offline" : "trouble") : is;
    const failures = this.net.failures + 1;
    const wait = is === "retry" ? backoff(failures, retryAfter) : 60_000;
    this.net = { is: kind, failures, retryAt: Date.now() + wait, code, reason };
  }

  calm() {
    this.net = { is: "ok", failures: 0, retryAt: 0, code: null, reason: null };
  }

  // Leases ---------------------------------------------------------------------------------------

  async fetchLeases() {
    const body = this.refreshed
      ? { count: this.ahead, have: this.have() }
      : { count: Math.min(MOST_HELD, Math.max(this.ahead, this.leases.length + this.waiting.length)), have: [...this.waitingLeases(), ...this.refusedLeases()].slice(0, MOST_HELD) };
    const reply = await this.api.request("POST", this.urls.leases, body);
    const meaning = verdict({ kind: "leases" }, { ...reply, json: reply.json && { ...reply.json, next: reply.json.leases } });
    if (meaning.is === "saved") {
      this.wantsLeases = false;
      const changes = [];
      if (!this.refreshed) this.dropLost(reply.json.leases, changes);
      this.refreshed = true;
      this.takeIn(reply.json, changes);
      this.calm();
      void this.store.write(changes);
    } else if (meaning.is === "refused") {
      this.wantsLeases = false;
      this.empty = { because: meaning.code, reason: meaning.reason };
      this.calm();
    } else {
      this.trouble(meaning);
    }
    this.changed();
  }

  /** Ask again for items, because there were none. */
  lookAgain() {
    this.wantsLeases = true;
    this.kick();
  }

  /** The first reply lists everything this person holds: stored leases that are not in it are gone. */
  dropLost(leases, changes) {
    const held = new Set(leases.map((lease) => lease.id));
    for (const lease of this.leases.filter((one) => !held.has(one.id))) changes.push(["leases", "delete", lease.id]);
    this.leases = this.leases.filter((lease) => held.has(lease.id));
  }

  /** Leases, progress and emptiness of a reply. */
  takeIn(json, changes) {
    const now = this.api.now();
    const fresh = (json.leases ?? []).map((lease) => ({ ...lease, received_at: now }));
    const before = new Map(this.leases.map((lease) => [lease.id, lease]));
    this.leases = mergeLeases(this.leases, fresh, this.done);
    this.leases.forEach((lease, index) => {
      lease.place = index;
    });
    for (const lease of this.leases) if (before.get(lease.id) !== lease) changes.push(["leases", "put", lease]);
    if (json.progress) {
      // Submits tell only the person's own counts; the team's come with the hand-outs.
      this.progress = { ...this.progress, ...json.progress };
      changes.push(["meta", "put", { name: "progress", value: this.progress }]);
    }
    if (json.empty_because === "paused" && json.stopped && json.stopped !== "project") {
      // What a person held when they were paused has gone back.
      for (const lease of this.leases) changes.push(["leases", "delete", lease.id]);
      this.leases = [];
    }
    this.empty = json.empty_because ? { because: json.empty_because, stopped: json.stopped, until: json.until, held: json.held } : null;
    // Only a hand-out tells how many are held by others.
    if (this.empty?.because === "held_by_others" && json.held === undefined) this.wantsLeases = true;
  }

  /** Keep the leases in hand alive, while somebody looks at the page. */
  async extend() {
    if (!this.active || this.net.is !== "ok") return;
    const due = toExtend(this.leases, this.api.now());
    if (!due.length) return;
    const reply = await this.api.request("POST", this.urls.extend, { leases: due.map((lease) => lease.id) });
    const extended = reply.status === 200 && Array.isArray(reply.json) ? reply.json : [];
    const changes = [];
    this.takeExpiry(extended, changes);
    void this.store.write(changes);
    const lost = due.some((lease) => this.leases.includes(lease) && !extended.some((one) => one.id === lease.id));
    if (lost && (reply.status === 200 || reply.status === 404)) this.refresh();
  }

  /** Ask the server anew what this person holds: a laptop slept, and leases ran out. */
  refresh() {
    this.refreshed = false;
    this.lookAgain();
  }

  takeExpiry(extended, changes) {
    const byId = new Map(extended.map((lease) => [lease.id, lease.expires_at]));
    for (const lease of this.leases.filter((one) => byId.has(one.id))) {
      lease.expires_at = byId.get(lease.id);
      lease.received_at = this.api.now();
      changes.push(["leases", "put", lease]);
    }
  }

  /** The last ten answers as the server knows them, for a browser that has none of its own. */
  async fetchRecent() {
    const reply = await this.api.request("GET", this.urls.recent);
    const rows = reply.status === 200 ? reply.json : null;
    if (!Array.isArray(rows)) return false;
    const known = new Set(this.recent.map((record) => String(record.annotation)));
    const changes = [];
    for (const row of rows) {
      if (known.has(String(row.annotation)) || this.recent.length >= RECENT) continue;
      const record = {
        key: `annotation-${row.annotation}`,
        seq: Date.parse(row.at) || 0,
        lease: null,
        item: row.item,
        answers: row.answers,
        annotation: row.annotation,
      };
      this.recent.push(record);
      changes.push(["recent", "put", record]);
    }
    this.recent.sort((a, b) => b.seq - a.seq);
    void this.store.write(changes);
    return true;
  }
}
