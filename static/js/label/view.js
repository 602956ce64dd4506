// Everything that touches the page: builds the form once, puts items in, marks answers, fills the
// dialogs. It decides nothing; main.js tells it what to show. Texts of items are only ever set as
// text, never as markup.

import { NONE_KEY, classOfKey, describe, excerpt, fill, isAnswered, isChoice, isNumber, nameOf, problems, suggestedOpen, visibleQuestions } from "./state.js";

const CLASS_COLOURS = 8;

const byId = (id) => document.getElementById(id);

/** <tag class="…" attributes…>children</tag> */
function make(tag, { className, text, ...attributes } = {}, ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

/** Images of leased items, fetched ahead and kept, so that the next one is there at once and also
 *  without a network. Addresses given out are of the page's own memory (blob:). */
export class Images {
  constructor(store) {
    this.store = store;
    this.urls = new Map();
    this.pending = new Map();
    this.swept = false;
  }

  /** The address in memory, if the image is held already. */
  held(url) {
    return this.urls.get(url);
  }

  /** The address to show: the one in memory, once it is there; the server's if it cannot be held. */
  async address(url) {
    await this.fetch(url);
    return this.urls.get(url) ?? url;
  }

  /** Hold the images of these items and let go of all others. */
  async hold(items) {
    const wanted = new Set();
    for (const item of items) {
      for (const part of item?.display ?? []) if (part.kind === "image") wanted.add(part.url);
    }
    for (const [url, address] of this.urls) {
      if (wanted.has(url)) continue;
      URL.revokeObjectURL(address);
      this.urls.delete(url);
      void this.store.write([["images", "delete", url]]);
    }
    if (!this.swept) await this.sweep(wanted);
    await Promise.all([...wanted].map((url) => this.fetch(url)));
  }

  /** Once: images that an earlier page kept for items that are no longer held. */
  async sweep(wanted) {
    this.swept = true;
    const kept = await this.store.all("images");
    const old = kept.filter((record) => !wanted.has(record.url));
    if (old.length) await this.store.write(old.map((record) => ["images", "delete", record.url]));
  }

  fetch(url) {
    if (this.urls.has(url)) return Promise.resolve();
    if (!this.pending.has(url)) this.pending.set(url, this.take(url).finally(() => this.pending.delete(url)));
    return this.pending.get(url);
  }

  async take(url) {
    try {
      const kept = await this.store.get("images", url);
      const blob = kept?.blob ?? (await this.download(url));
      const address = URL.createObjectURL(blob);
      if (!kept) void this.store.write([["images", "put", { url, blob }]]);
      const picture = new Image();
      picture.src = address;
      await picture.decode();
      this.urls.set(url, address);
    } catch {
      // Shown from the server's address instead, where the page can tell that it is missing.
    }
  }

  async download(url) {
    const reply = await fetch(url, { credentials: "same-origin" });
    if (!reply.ok) throw new Error(String(reply.status));
    return await reply.blob();
  }
}

export class View {
  constructor(boot, images) {
    this.boot = boot;
    this.images = images;
    this.questions = boot.questions;
    this.strings = {};
    for (const line of byId("strings").children) this.strings[line.dataset.key] = line.textContent;
    this.parts = new Map();
    this.told = {};
    this.panel = byId("answers");
    this.item = byId("item");
  }

  say(key, values = {}) {
    return fill(this.strings[key] ?? key, values);
  }

  // The form, built once ---------------------------------------------------------------------------

  buildForm() {
    const one = this.questions.length === 1;
    this.panel.classList.toggle("panel-many", !one);
    document.body.classList.toggle("many", !one);
    byId("bar-question").textContent = one ? this.questions[0].title : "";
    byId("questions").replaceChildren(...this.questions.map((question, index) => this.buildQuestion(question, index)));
    byId("definitions-setting").hidden = !this.questions.some((question) => question.classes?.some((cls) => cls.definition));
    this.buildHelp();
  }

  buildQuestion(question, index) {
    const id = `q${index}`;
    const title = make("span", { className: "question-title", id: `${id}-title`, text: question.title });
    const hints = this.hints(question);
    if (hints) title.append(" ", make("span", { className: "question-hint", text: hints }));
    const part = { question, id, buttons: new Map(), field: null, none: null };
    const body = isChoice(question) ? this.buildChoices(part) : this.buildField(part);
    part.problem = make("p", { className: "problem", id: `${id}-problem`, hidden: true });
    part.root = make(
      "div",
      {
        className: `question question-${question.kind}`,
        role: "group",
        "aria-labelledby": `${id}-title`,
        "aria-describedby": `${id}-problem`,
        "data-question": question.key,
      },
      title,
      body,
      part.problem,
    );
    this.parts.set(question.key, part);
    return part.root;
  }

  hints(question) {
    const hints = [];
    if (!question.required) hints.push(this.say("optional"));
    if (question.kind === "multiple") hints.push(this.say("several"));
    if (question.kind === "number") hints.push(this.rangeWords(question));
    return hints.filter(Boolean).join(" · ");
  }

  rangeWords({ min, max }) {
    if (isNumber(min) && isNumber(max)) return this.say("range", { min, max });
    if (isNumber(min)) return this.say("at_least", { min });
    return isNumber(max) ? this.say("at_most", { max }) : "";
  }

  buildChoices(part) {
    const { question } = part;
    const list = make("div", { className: "choices" });
    const apart = make("div", { className: "choices choices-apart" });
    question.classes.forEach((cls, index) => {
      const button = this.buildChoice(part, cls, index);
      part.buttons.set(cls.name, button);
      (cls.uncertain ? apart : list).append(button);
    });
    if (question.kind === "multiple") {
      const key = classOfKey(question, NONE_KEY) ? null : NONE_KEY;
      part.none = make("button", {
        type: "button",
        className: "choice choice-none",
        "data-none": true,
        "aria-pressed": "false",
        "aria-keyshortcuts": key,
      });
      if (key) part.none.append(make("kbd", { "aria-hidden": "true", text: key }));
      part.none.append(make("span", { className: "choice-name", text: this.say("none_of_them") }));
      apart.append(part.none);
    }
    const box = make("div", { className: "choices-box" }, list);
    if (apart.children.length) box.append(apart);
    return box;
  }

  buildChoice(part, cls, index) {
    const definition = cls.definition ? `${part.id}-definition-${index}` : null;
    const button = make("button", {
      type: "button",
      className: "choice",
      "data-class": cls.name,
      "aria-pressed": "false",
      "aria-keyshortcuts": cls.key || null,
      "aria-describedby": definition,
    });
    if (cls.key) button.append(make("kbd", { "aria-hidden": "true", text: cls.key.toUpperCase() }));
    button.append(make("span", { className: "choice-name", dir: "auto", text: nameOf(cls) }));
    if (definition) button.append(make("span", { className: "choice-definition", id: definition, dir: "auto", text: cls.definition }));
    // The steps of a scale are an order, not kinds: they have no colours of their own.
    if (part.question.kind !== "scale") button.dataset.tone = String((cls.colour ?? index) % CLASS_COLOURS);
    return button;
  }

  buildField(part) {
    const { question, id } = part;
    const shared = { id, className: "input", "aria-labelledby": `${id}-title`, "aria-describedby": `${id}-problem`, autocomplete: "off" };
    part.field =
      question.kind === "number"
        ? make("input", { ...shared, type: "text", inputmode: isNumber(question.min) && question.min >= 0 ? "decimal" : null })
        : make("textarea", { ...shared, rows: "2" });
    part.field.dataset.field = question.key;
    return part.field;
  }

  buildHelp() {
    const blocks = this.questions.filter(isChoice).map((question) => {
      const rows = question.classes.map((cls) =>
        make(
          "div",
          {},
          make("dt", {}, ...(cls.key ? [make("kbd", { text: cls.key.toUpperCase() }), " "] : []), make("strong", { dir: "auto", text: nameOf(cls) })),
          make("dd", { dir: "auto", text: cls.definition || "–" }),
        ),
      );
      return make("div", {}, make("h3", { text: question.title }), make("dl", { className: "keys" }, ...rows));
    });
    byId("help-classes").replaceChildren(...blocks);
  }

  // The item ---------------------------------------------------------------------------------------

  /** Put an item in. A text after a text only swaps the words: nothing else is laid out anew.
   *  Returns what to wait for before the item counts as seen (its images), or null. */
  showItem(item) {
    this.arriving = [];
    const parts = item.display ?? [];
    const only = parts.length === 1 && parts[0].kind === "text";
    if (only && this.plain?.isConnected) this.plain.textContent = parts[0].value;
    else this.item.replaceChildren(...parts.map((part) => this.buildPart(part, parts.length > 1)));
    this.plain = only ? this.item.querySelector(".item-text") : null;
    if (only) this.plain.classList.toggle("item-text-long", parts[0].value.length > 600);
    this.item.dataset.item = item.id;
    this.showMeta(item.meta ?? {});
    this.stage("item");
    if (window.scrollY > 0) window.scrollTo(0, 0);
    if (this.item.scrollTop > 0) this.item.scrollTop = 0;
    return this.arriving.length ? Promise.allSettled(this.arriving) : null;
  }

  buildPart(part, labelled) {
    if (part.kind === "image") return this.buildImage(part, labelled);
    if (part.kind === "table") return this.buildTable(part);
    if (part.kind === "pair") {
      return make("div", { className: "item-pair" }, this.buildText(part.a, true), this.buildText(part.b, true));
    }
    return this.buildText(part, labelled);
  }

  buildText({ label, value }, labelled) {
    const text = make("p", { className: "item-text", dir: "auto", text: String(value ?? "") });
    if (text.textContent.length > 600) text.classList.add("item-text-long");
    if (!labelled || !label) return text;
    return make("div", { className: "item-part" }, make("h2", { className: "item-label", text: label }), text);
  }

  buildImage(part, labelled) {
    const image = make("img", { className: "item-image", alt: part.alt || part.label || "" });
    const held = this.images.held(part.url);
    if (held) image.src = held;
    else this.arriving.push(this.fetchImage(image, part.url));
    const figure = make("figure", { className: "item-part item-figure" }, image);
    if (labelled && part.label) figure.prepend(make("figcaption", { className: "item-label", text: part.label }));
    return figure;
  }

  async fetchImage(image, url) {
    image.src = await this.images.address(url);
    try {
      await image.decode();
    } catch {
      image.replaceWith(make("p", { className: "problem", text: this.say("image_broken") }));
    }
  }

  buildTable(part) {
    const rows = part.rows.map(([field, value]) =>
      make("tr", {}, make("th", { scope: "row", text: field }), make("td", { dir: "auto", text: String(value ?? "") })),
    );
    return make("table", { className: "item-table" }, make("tbody", {}, ...rows));
  }

  showMeta(meta) {
    const pairs = Object.entries(meta);
    const details = byId("item-details");
    if (details.hidden && !pairs.length) return;
    details.hidden = !pairs.length;
    const rows = pairs.map(([field, value]) =>
      make("tr", {}, make("th", { scope: "row", text: field }), make("td", { text: typeof value === "object" ? JSON.stringify(value) : String(value) })),
    );
    byId("item-meta").replaceChildren(...rows);
  }

  /** Which of the page's states is seen: "item", "lesson", "empty", "passive" or "loading". */
  stage(name) {
    if (this.shown === name) return;
    this.shown = name;
    this.item.hidden = name !== "item" && name !== "lesson";
    this.panel.hidden = name !== "item";
    byId("lesson").hidden = name !== "lesson";
    if (name !== "item") byId("item-details").hidden = true;
    if (name !== "item") byId("earlier").hidden = true;
    if (name !== "item") byId("suggestion").hidden = true;
    byId("empty").hidden = name !== "empty";
    byId("passive").hidden = name !== "passive";
    byId("loading").hidden = name !== "loading";
  }

  showEmpty(kind, values) {
    this.stage("empty");
    const known = `empty_${kind}_title` in this.strings ? kind : "other";
    let text = known;
    if (known === "held_by_others" && !(values.n && values.time)) text = "held_by_others_some";
    else if (known === "held_by_others" && values.n === 1) text = "held_by_others_one";
    setText(byId("empty-title"), this.say(`empty_${known}_title`));
    setText(byId("empty-text"), this.say(`empty_${text}`, values));
    byId("empty-again").hidden = kind === "archived";
  }

  /** Answers that were given before, beside an item that was sent out again; null where it is blind. */
  showEarlier(answers) {
    const words = answers ? describe(this.questions, answers) : "";
    byId("earlier").hidden = !words;
    setText(byId("earlier"), words && this.say("earlier", { answer: words }));
  }

  /** What a model says of the item on the screen; null where nothing is suggested. */
  suggest(suggestion, answers) {
    this.suggestion = suggestion;
    this.showSuggestion(answers);
  }

  /** The questions that are still open and that the suggestion answers. */
  suggestedOpen(answers) {
    return suggestedOpen(this.questions, answers, this.suggestion?.answers);
  }

  /** The suggested answers to the questions that are still open, and Enter where it takes them. */
  showSuggestion(answers) {
    const open = this.suggestedOpen(answers);
    byId("suggestion").hidden = !open.length;
    if (!open.length) return;
    const told = open.map((question) => {
      const sure = this.suggestion.probability[question.key];
      const answer = nameOf({ name: this.suggestion.answers[question.key] });
      const words = sure === null ? answer : this.say("suggested_sure", { answer, sure: Math.floor(100 * sure) });
      return this.questions.length > 1 ? `${question.title}: ${words}` : words;
    });
    setText(byId("suggestion-text"), this.say("suggested", { answer: told.join(" · ") }));
    byId("suggestion-key").hidden = !problems(this.questions, answers).length;
  }

  /** Whether an answer of the training round was right, what is, and why; after the last one how it ended. */
  showLesson({ right, gold, explanation, answered, total, outcome }, answers) {
    const all = Object.values(right).every(Boolean);
    byId("lesson").dataset.right = String(all);
    setText(byId("lesson-title"), this.say(all ? "lesson_right" : "lesson_wrong"));
    const told = this.questions.filter((question) => question.key in right);
    byId("lesson-answers").replaceChildren(
      ...told.map((question) => {
        const words = { answer: describe([question], answers) || "–", gold: describe([question], gold) || "–" };
        const line = this.say(right[question.key] ? "lesson_line_right" : "lesson_line_wrong", words);
        const title = this.questions.length > 1 ? [make("strong", { text: question.title }), " "] : [];
        return make("li", { dir: "auto" }, ...title, line);
      }),
    );
    setText(byId("lesson-why"), explanation);
    byId("lesson-why").hidden = !explanation;
    setText(byId("lesson-progress"), this.say("lesson_progress", { answered, total }));
    byId("lesson-outcome").hidden = !outcome;
    setText(byId("lesson-outcome"), outcome ? this.outcomeWords(outcome) : "");
    this.stage("lesson");
    byId("lesson-on").focus({ preventScroll: true });
  }

  outcomeWords({ state, right, n, pass_mark: mark, again }) {
    const key = state === "passed" ? "lesson_passed" : again ? "lesson_again" : "lesson_failed";
    return this.say(key, { right, n, needed: Math.ceil(mark * n - 1e-9) });
  }

  endTraining() {
    byId("training-note")?.remove();
  }

  showEditing(on) {
    byId("editing-note").hidden = !on;
    document.body.classList.toggle("editing", on);
  }

  // Answers ----------------------------------------------------------------------------------------

  /** Show answers in the form; `active` is the key of the question that the keys belong to. */
  showAnswers(answers, active, { fields = true } = {}) {
    this.showSuggestion(answers);
    const shown = new Set(visibleQuestions(this.questions, answers).map((question) => question.key));
    for (const [key, part] of this.parts) {
      const { question, root } = part;
      if (root.hidden === shown.has(key)) root.hidden = !shown.has(key);
      root.classList.toggle("question-active", key === active && this.parts.size > 1);
      root.classList.toggle("question-answered", isAnswered(question, answers[key]));
      const value = answers[key];
      for (const [name, button] of part.buttons) {
        press(button, Array.isArray(value) ? value.includes(name) : value === name);
      }
      if (part.none) press(part.none, Array.isArray(value) && value.length === 0);
      if (part.field && fields) part.field.value = value ?? "";
    }
  }

  /** A short mark on the button that was just taken; the next item is already above it. */
  flash(questionKey, name) {
    const button = this.parts.get(questionKey)?.buttons.get(name);
    if (!button) return;
    this.flashed?.classList.remove("choice-taken");
    this.flashed = button;
    button.classList.add("choice-taken");
    clearTimeout(this.flashTimer);
    this.flashTimer = setTimeout(() => button.classList.remove("choice-taken"), 150);
  }

  /** Mark what is missing and go there. */
  showProblems(found) {
    const why = new Map(found.map((problem) => [problem.key, problem.why]));
    for (const [key, part] of this.parts) {
      const text = why.has(key) ? this.problemWords(why.get(key), part.question) : "";
      setText(part.problem, text);
      part.problem.hidden = !text;
      part.root.classList.toggle("question-problem", Boolean(text));
      if (part.field) part.field.setAttribute("aria-invalid", String(Boolean(text)));
    }
    if (found.length) this.focusQuestion(found[0].key);
    if (found.length) setText(byId("live"), this.problemWords(found[0].why, this.parts.get(found[0].key).question));
  }

  problemWords(why, question) {
    const { min, max } = question;
    if (why === "out_of_range" && !isNumber(max)) return this.say("too_small", { min });
    if (why === "out_of_range" && !isNumber(min)) return this.say("too_large", { max });
    if (why === "missing") return this.say("required");
    return this.say(why, { min, max });
  }

  /** Give the focus to a question: its field, or its first choice when `focusChoices`. */
  focusQuestion(key, { focusChoices = true } = {}) {
    const part = this.parts.get(key);
    if (!part) return;
    if (part.field) part.field.focus({ preventScroll: true });
    else if (focusChoices) (this.pressed(part) ?? part.buttons.values().next().value)?.focus({ preventScroll: true });
    if (this.parts.size > 1) part.root.scrollIntoView({ block: "nearest" });
  }

  pressed(part) {
    return [...part.buttons.values()].find((button) => button.getAttribute("aria-pressed") === "true");
  }

  showSubmit(on) {
    byId("submit").hidden = !on;
  }

  showDefinitions(on) {
    document.body.classList.toggle("definitions", on);
    byId("show-definitions").checked = on;
  }

  // The bar ----------------------------------------------------------------------------------------

  showStatus(status) {
    const words = this.statusWords(status);
    const text = byId("status-text");
    if (text.textContent !== words) text.textContent = words;
    const tone = status.refused && status.is === "saved" ? "refused" : status.is;
    const button = byId("status-button");
    if (button.dataset.state !== tone) button.dataset.state = tone;
    this.tell(status);
    if (byId("status").open) this.fillStatus(status);
  }

  statusWords({ is, waiting, refused }) {
    const words = [];
    if (is === "waiting") words.push(this.say("waiting", { n: waiting }));
    else if (is !== "saved" && is !== "saving") words.push(this.say(waiting ? `${is}_waiting` : is, { n: waiting }));
    else if (is === "saving" || !refused) words.push(this.say(is));
    if (refused) words.push(this.say("refused", { n: refused }));
    return words.join(" · ");
  }

  /** Say a change of state to those who listen, but not every single answer. */
  tell({ is, waiting, refused }) {
    const before = this.told;
    const calm = is === "saved" || is === "saving";
    let words = null;
    if (refused > (before.refused ?? 0)) words = this.say("live_refused");
    else if (!calm && is !== before.is) words = this.statusWords({ is, waiting, refused: 0 });
    else if (is === "saved" && before.is && before.is !== "saved") words = this.say("live_saved");
    // "saving" keeps the state before it, so that the ordinary coming and going stays silent.
    this.told = { is: is === "saving" ? before.is : is, refused };
    if (words) setText(byId("live"), words);
  }

  fillStatus(status, ahead = this.ahead) {
    this.ahead = ahead;
    const values = { n: status.waiting, ahead: ahead ?? 0 };
    const lines = [this.say(`detail_${status.is}`, values)];
    if (status.reason) lines.push(status.reason);
    const seconds = Math.ceil((status.retryAt - Date.now()) / 1000);
    if (status.is !== "saved" && seconds > 0) lines.push(this.say("next_try", { n: seconds }));
    setText(byId("status-detail"), lines.join(" "));
    byId("status-durable").hidden = status.durable;
    byId("status-sign-in").hidden = status.is !== "signed_out";
    byId("status-now").hidden = !["offline", "trouble", "waiting", "forbidden"].includes(status.is);
  }

  showProgress(today) {
    const button = byId("progress-button");
    button.hidden = today === null || Boolean(this.boot.trial);
    if (today !== null) setText(button, this.say("today", { n: today }));
  }

  fillProgress(progress, today) {
    setText(byId("progress-today"), String(today ?? "–"));
    setText(byId("progress-mine"), String(progress?.mine ?? "–"));
    const { done = 0, total = 0 } = progress ?? {};
    setText(byId("progress-team"), total ? this.say("team", { done, total }) : "–");
    byId("progress-bar").max = total || 1;
    byId("progress-bar").value = done;
  }

  showUndo(record) {
    const label = record ? this.say("undo_of", { answer: describe(this.questions, record.answers) }) : "";
    if (byId("undo").title !== label) byId("undo").title = label;
  }

  showOffline(on, held, limit) {
    byId("work-offline").setAttribute("aria-pressed", String(on));
    setText(byId("work-offline-text"), on ? this.say("working_offline", { n: held }) : this.say("work_offline", { n: limit }));
  }

  toast(words) {
    const toast = byId("toast");
    setText(toast, words);
    toast.hidden = false;
    clearTimeout(this.toastTimer);
    this.toastTimer = setTimeout(() => {
      toast.hidden = true;
    }, 4000);
  }

  // Dialogs ----------------------------------------------------------------------------------------

  fillGuideline(note) {
    const { html } = this.boot.guideline ?? {};
    // Sanitised by the server, as on its own page; the content policy lets no script of it run.
    if (html) byId("guideline-body").innerHTML = html;
    else setText(byId("guideline-body"), this.say("guideline_none"));
    setText(byId("guideline-note"), note);
    byId("guideline-note").hidden = !note;
  }

  /** `html` of the server's template; null when it could not be had. What was shown before stays, as it was opened. */
  fillExamples(html) {
    const place = byId("guideline-examples");
    if (html === null) {
      if (!place.children.length) setText(place, this.say("examples_away"));
    } else if (html !== this.examples) {
      this.examples = html;
      place.innerHTML = html;
    }
  }

  fillRecent(records, stateOf, open) {
    byId("recent-none").hidden = records.length > 0;
    byId("recent-list").replaceChildren(
      ...records.map((record) => {
        const state = stateOf(record);
        const button = make(
          "button",
          { type: "button", className: "record" },
          make("span", { className: "record-item", dir: "auto", text: excerpt(record.item) }),
          make("strong", { className: "record-answer", dir: "auto", text: describe(this.questions, record.answers) || "–" }),
        );
        if (state) button.append(make("span", { className: "record-state", text: this.say(`state_${state}`) }));
        button.addEventListener("click", () => open(record));
        return make("li", {}, button);
      }),
    );
  }

  fillRefused(entries, { open, again, discard }) {
    byId("refused-part").hidden = entries.length === 0;
    byId("refused-list").replaceChildren(...entries.map((entry) => this.buildRefused(entry, { open, again, discard })));
  }

  buildRefused(entry, { open, again, discard }) {
    const reason = this.strings[`reason_${entry.code}`] ?? entry.reason ?? entry.code;
    const errors = (entry.errors ?? []).map((error) => error.detail ?? error.message ?? error.code ?? String(error));
    const said = entry.body.answers ? describe(this.questions, entry.body.answers) : this.say(`kind_${entry.kind}`);
    const action = (key, act) => {
      const button = make("button", { type: "button", className: "action", text: this.say(key) });
      button.addEventListener("click", () => act(entry));
      return button;
    };
    const actions = [action("send_again", again), action("discard", discard)];
    if (entry.item.display && entry.body.answers) actions.unshift(action("open", open));
    return make(
      "li",
      { className: "refused" },
      make("span", { className: "record-item", dir: "auto", text: excerpt(entry.item) || entry.item.id }),
      make("strong", { className: "record-answer", dir: "auto", text: said }),
      make("p", { text: [reason, ...errors].join(" ") }),
      make("p", { className: "row" }, ...actions),
    );
  }
}

function press(button, on) {
  const value = String(on);
  if (button.getAttribute("aria-pressed") !== value) button.setAttribute("aria-pressed", value);
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text ?? "";
}
