// The rules of the label page, without a page: which question is asked, what an answer is, which
// key is taken, what a reply of the server means. Everything here is a pure function or a small
// object that is told the time, so that it can be read and tried alone.

/** Keys of the page itself. The server refuses them as keys of classes. */
export const RESERVED = new Map([
  ["u", "undo"],
  ["backspace", "undo"],
  ["s", "skip"],
  ["l", "later"],
  ["f", "flag"],
  ["h", "guideline"],
  ["?", "help"],
]);

/** "None of them" in a multiple choice, unless a class has this key. */
export const NONE_KEY = "-";

const CHOICE_KINDS = new Set(["single", "multiple", "scale"]);

export const isChoice = (question) => CHOICE_KINDS.has(question.kind);

/** How a class is called on the page. */
export const nameOf = (cls) => cls.name || "“”";

// Questions and answers ------------------------------------------------------------------------

function holdsAny(value, names) {
  const given = Array.isArray(value) ? value : [value];
  return given.some((name) => names.includes(name));
}

/** The questions that are asked, given the answers so far: a `when` may hide one, and then also
 *  those that depend on it. */
export function visibleQuestions(questions, answers) {
  const shown = [];
  const keys = new Set();
  for (const question of questions) {
    const when = question.when;
    if (when && !(keys.has(when.question) && holdsAny(answers[when.question], when.classes))) continue;
    shown.push(question);
    keys.add(question.key);
  }
  return shown;
}

/** A number as people type it ("3,5", " 12 "), or null. */
export function parseNumber(text) {
  const plain = String(text ?? "").trim().replace(",", ".");
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(plain) ? Number(plain) : null;
}

export function isAnswered(question, value) {
  if (value === undefined || value === null) return false;
  // [] is the answer "none of them"; a question that nobody touched has no value at all.
  if (question.kind === "multiple") return Array.isArray(value);
  // A class may have an empty name: people's data do.
  if (isChoice(question)) return true;
  return String(value).trim() !== "";
}

/** What keeps these answers from being sent: [{key, why: "missing" | "not_a_number" | "out_of_range"
 *  | "nothing"}], in the order of the questions. */
export function problems(questions, answers) {
  const found = [];
  const shown = visibleQuestions(questions, answers);
  for (const question of shown) {
    const value = answers[question.key];
    if (!isAnswered(question, value)) {
      if (question.required) found.push({ key: question.key, why: "missing" });
      continue;
    }
    if (question.kind !== "number") continue;
    const number = parseNumber(value);
    if (number === null) found.push({ key: question.key, why: "not_a_number" });
    else if (outside(number, question)) found.push({ key: question.key, why: "out_of_range" });
  }
  // A form of optional questions may not be sent blank: that is a skip, and a skip has a reason.
  if (!found.length && shown.length && !shown.some((question) => isAnswered(question, answers[question.key]))) {
    found.push({ key: shown[0].key, why: "nothing" });
  }
  return found;
}

function outside(number, { min, max }) {
  return (isNumber(min) && number < min) || (isNumber(max) && number > max);
}

export const isNumber = (value) => typeof value === "number" && Number.isFinite(value);

/** The answers as the server takes them: hidden and unanswered questions are left out. */
export function toSend(questions, answers) {
  const body = {};
  for (const question of visibleQuestions(questions, answers)) {
    const value = answers[question.key];
    if (!isAnswered(question, value)) continue;
    if (question.kind === "number") body[question.key] = parseNumber(value);
    else if (question.kind === "text") body[question.key] = String(value).trim();
    else body[question.key] = value;
  }
  return body;
}

/** The value of a choice question after one class was pressed. A pressed single choice stays: the
 *  same key again must not take the answer away. An uncertainty class excludes the others. */
export function choose(question, current, name) {
  if (question.kind !== "multiple") return name;
  const chosen = Array.isArray(current) ? current : [];
  if (chosen.includes(name)) return chosen.filter((other) => other !== name);
  const uncertain = (other) => question.classes.some((cls) => cls.name === other && cls.uncertain);
  if (uncertain(name)) return [name];
  const kept = new Set([...chosen.filter((other) => !uncertain(other)), name]);
  return question.classes.map((cls) => cls.name).filter((other) => kept.has(other));
}

/** The question that the keys belong to: the first one still open after `after`, then any open one. */
export function nextOpen(questions, answers, after = null) {
  const shown = visibleQuestions(questions, answers);
  const open = shown.filter((question) => !isAnswered(question, answers[question.key]));
  const from = shown.findIndex((question) => question.key === after);
  return open.find((question) => shown.indexOf(question) > from) ?? open[0] ?? null;
}

/** The questions on the screen that a suggestion answers and nobody has answered yet. */
export function suggestedOpen(questions, answers, suggestion) {
  if (!suggestion) return [];
  const asked = visibleQuestions(questions, { ...suggestion, ...answers });
  return asked.filter((question) => {
    const offered = question.classes?.some((cls) => cls.name === suggestion[question.key]);
    return offered && !isAnswered(question, answers[question.key]);
  });
}

/** One key is a whole answer: a project with one question that takes one class. */
export function answersByOneKey(questions) {
  return questions.length === 1 && (questions[0].kind === "single" || questions[0].kind === "scale");
}

/** The class of a question that belongs to a key, or undefined. */
export function classOfKey(question, key) {
  return question.classes?.find((cls) => cls.key && cls.key.toLowerCase() === key);
}

// Keys -----------------------------------------------------------------------------------------

/** Lets one press count once, and only for an item that was on the screen.
 *
 *  A held key repeats, a worn key bounces, and a person may press twice by habit: the second press
 *  would answer the next item unseen. So a press is taken only when it happened after the item was
 *  painted, and the same key only `doubleMs` after it was last taken. Times are those of the events
 *  (performance.now()), not of their handling, so that a busy page does not refuse a good press. */
export class Guard {
  constructor(doubleMs = 80) {
    this.doubleMs = doubleMs;
    this.paintedAt = Infinity;
    this.last = { id: null, at: -Infinity };
  }

  /** Another item was put into the page and nobody has seen it yet. */
  cover() {
    this.paintedAt = Infinity;
  }

  /** The item is on the screen since `at`. */
  uncover(at) {
    this.paintedAt = at;
  }

  /** Whether a press may act, and if so remember it. */
  takes(id, at, { repeat = false, doubleMs = this.doubleMs } = {}) {
    if (repeat || at < this.paintedAt) return false;
    if (id === this.last.id && at - this.last.at < doubleMs) return false;
    this.last = { id, at };
    return true;
  }
}

// Leases ---------------------------------------------------------------------------------------

/** The queue after a reply: known leases get their new expiry, new ones go to the end; those that
 *  were answered here already (`done`) stay away, however late the reply is. */
export function mergeLeases(queue, incoming, done) {
  const byId = new Map(queue.map((lease) => [lease.id, lease]));
  for (const lease of incoming) {
    if (!lease?.id || !lease.item || done.has(lease.id)) continue;
    byId.set(lease.id, { ...byId.get(lease.id), ...lease });
  }
  return [...byId.values()];
}

/** Leases that should be kept alive now: less than half of the time they were given is left. */
export function toExtend(queue, now) {
  return queue.filter((lease) => {
    const end = Date.parse(lease.expires_at);
    const span = Math.max(end - lease.received_at, 60_000);
    return end - now < span / 2;
  });
}

// Replies --------------------------------------------------------------------------------------

/** Seconds in a Retry-After header (a number or a date), or null. */
export function retryAfterSeconds(header, now) {
  if (!header) return null;
  if (/^\d+$/.test(header.trim())) return Number(header);
  const date = Date.parse(header);
  return Number.isNaN(date) ? null : Math.max(0, (date - now) / 1000);
}

/** Milliseconds until the next try: doubling from 1 s to 60 s, half of it random so that many
 *  browsers do not come back in step, and never before the server asked for. */
export function backoff(failures, retryAfter, random = Math.random) {
  const ceiling = Math.min(60_000, 1000 * 2 ** Math.min(failures, 6));
  const wait = ceiling / 2 + random() * (ceiling / 2);
  return Math.max(wait, (retryAfter ?? 0) * 1000);
}

const SIGNED_OUT_CODES = new Set(["not-signed-in", "not-authenticated", "bad-token", "csrf"]);

/** What a reply means for a waiting entry.
 *
 *  `reply` is {status, json, retryAfter}; status 0 is "no answer from the server". Saved is only what
 *  names the item that was sent: a page of a hotel's network also answers 200.
 *  Returns {is: "saved" | "refused" | "retry" | "signed_out" | "forbidden", ...}. */
export function verdict(entry, reply) {
  const { status, json } = reply;
  if (status === 401) return { is: "signed_out" };
  if (status === 403) {
    const signedOut = !json?.code || SIGNED_OUT_CODES.has(json.code);
    return signedOut ? { is: "signed_out" } : { is: "forbidden", code: json.code, reason: json.detail || json.title };
  }
  if (status === 200 || status === 201) {
    return answersThis(entry, json) ? { is: "saved" } : { is: "retry", code: "unknown_reply" };
  }
  if (status === 408 || status === 425 || status === 429 || status >= 500) {
    return { is: "retry", code: json?.code ?? `http_${status}`, retryAfter: reply.retryAfter };
  }
  if (status >= 400 && json?.code) {
    return {
      is: "refused",
      code: json.code,
      reason: json.detail || json.title || "",
      errors: Array.isArray(json.errors) ? json.errors : [],
    };
  }
  // 413 of a proxy, or 404 without our problem document: somebody between us and the server spoke.
  if (status === 413) return { is: "refused", code: "http_413", reason: "", errors: [] };
  return { is: "retry", code: status ? "unknown_reply" : "no_network" };
}

function answersThis(entry, json) {
  if (!json || typeof json !== "object") return false;
  if (entry.kind === "inquiry") return json.inquiry !== undefined;
  if (entry.kind === "annotation" || entry.kind === "revision") {
    return json.annotation?.id !== undefined && String(itemOf(json.annotation)) === String(entry.item.id);
  }
  return Array.isArray(json.next);
}

const itemOf = (annotation) => annotation.item?.id ?? annotation.item;

// Words ----------------------------------------------------------------------------------------

/** "{n} waiting" with its values put in. */
export function fill(text, values) {
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

/** Answers in one short line, as shown in lists. */
export function describe(questions, answers) {
  const parts = [];
  for (const question of questions) {
    const value = answers?.[question.key];
    if (value === undefined || value === null) continue;
    parts.push(Array.isArray(value) ? value.join(", ") || "–" : String(value));
  }
  return parts.join(" · ");
}

/** The first words of an item, for lists. */
export function excerpt(item, length = 80) {
  const words = [];
  for (const part of item?.display ?? []) {
    if (part.kind === "text") words.push(part.value);
    else if (part.kind === "pair") words.push(part.a?.value, part.b?.value);
    else if (part.kind === "table") words.push(...part.rows.map(([, value]) => value));
    else if (part.kind === "image") words.push(part.alt || part.label);
  }
  const text = words.filter(Boolean).join(" · ").replace(/\s+/g, " ").trim();
  const points = [...text];
  return points.length > length ? `${points.slice(0, length - 1).join("")}…` : text;
}
