// The label page: joins keys, rules (state.js), keeping and sending (outbox.js) and the page (view.js).
// The rule of this file: a key acts on what is in memory and on the screen, at once; storage and
// network come after, and nothing waits for them.

import { Api, Outbox, Store } from "./outbox.js";
import {
  Guard,
  NONE_KEY,
  RESERVED,
  answersByOneKey,
  choose,
  classOfKey,
  isAnswered,
  nextOpen,
  problems,
  toSend,
  visibleQuestions,
} from "./state.js";
import { Images, View } from "./view.js";

const boot = JSON.parse(document.getElementById("boot").textContent);
/** A trial keeps its own items and answers: it is no part of the labeling. */
const place = boot.trial ? `${boot.project.slug}:trial` : boot.project.slug;
const person = `${boot.member.id}:${place}`;
const byId = (id) => document.getElementById(id);

/** Settings of this person in this browser; without storage they last as long as the page. */
const prefs = {
  read(name) {
    try {
      return localStorage.getItem(`label:${name}`);
    } catch {
      return null;
    }
  },
  write(name, value) {
    try {
      localStorage.setItem(`label:${name}`, value);
    } catch {
      // Nothing kept: the setting holds until the page is closed.
    }
  },
};

class LabelPage {
  constructor(store) {
    this.store = store;
    this.questions = boot.questions;
    this.images = new Images(store);
    this.view = new View(boot, this.images);
    this.api = new Api(boot.csrf_cookie);
    this.outbox = new Outbox({
      project: boot.project.slug,
      urls: boot.urls,
      settings: boot.settings,
      questions: boot.questions,
      store,
      api: this.api,
      changed: () => this.changed(),
      learned: (entry, feedback) => this.learn(entry, feedback),
    });
    this.lesson = null;
    this.guard = new Guard();
    this.lease = null;
    this.editing = null;
    this.answers = {};
    this.active = null;
    this.drafts = new Map();
    this.shownAt = 0;
    this.hiddenFor = 0;
    this.hiddenSince = null;
    this.passive = true;
    this.oneKey = answersByOneKey(this.questions);
    const advance = prefs.read("advance");
    this.autoAdvance = advance === null ? boot.settings.auto_advance !== false : advance === "1";
  }

  async start() {
    this.view.buildForm();
    this.view.showDefinitions(prefs.read("definitions") === "1");
    this.fillMenu();
    this.bind();
    this.greet();
    await holdTab(person, (active) => void this.setActive(active));
  }

  /** Only the tab that holds the lock labels and sends. Whatever another tab did meanwhile is in the store. */
  async setActive(active) {
    if (!active) {
      this.passive = true;
      this.editing = null;
      this.outbox.stop();
      this.view.stage("passive");
      return;
    }
    await this.outbox.load();
    const draft = await this.store.get("meta", "draft");
    if (draft) this.drafts.set(draft.lease, draft.answers);
    this.passive = false;
    this.outbox.start();
    this.changed();
  }

  get advances() {
    return this.oneKey && this.autoAdvance;
  }

  // What is on the screen ----------------------------------------------------------------------------

  /** Something behind the page changed: leases came, an answer was saved or refused. */
  changed() {
    const status = this.outbox.status();
    this.view.showStatus(status);
    this.view.showProgress(this.outbox.mineToday());
    if (byId("menu").open) this.fillMenu();
    if (byId("status").open) this.fillStatus();
    if (byId("recent").open) this.fillRecent();
    if (this.passive || this.editing || this.lesson) return;
    const first = this.outbox.leases[0] ?? null;
    if (first) {
      if (first.id !== this.lease?.id || this.view.shown !== "item") this.show(first);
      this.lease = first;
    } else {
      this.lease = null;
      this.showNothing(status);
    }
    this.holdImages();
  }

  holdImages() {
    const items = this.outbox.leases.map((lease) => lease.item);
    if (items.some((item) => item.display?.some((part) => part.kind === "image"))) void this.images.hold(items);
  }

  show(lease) {
    this.lease = lease;
    this.present(lease.item, this.drafts.get(lease.id) ?? {});
    this.view.showEarlier(lease.earlier);
    this.view.suggest(lease.suggestion, this.answers);
  }

  /** What the server says about an answer of a training round: it stays on the screen until the person goes on. */
  learn(entry, feedback) {
    this.lesson = feedback;
    this.lease = null;
    this.editing = null;
    if (this.passive) return;
    this.guard.cover();
    this.presented = entry.item;
    this.view.showItem(entry.item);
    this.view.showEarlier(null);
    this.view.suggest(null, this.answers);
    this.view.showEditing(false);
    this.view.showLesson(feedback, entry.body.answers);
    this.awaitPaint(entry.item);
  }

  /** Whether Enter takes what is suggested: only while the answers are not whole, as it sends them otherwise. */
  get offers() {
    return this.view.suggestedOpen(this.answers).length > 0 && problems(this.questions, this.answers).length > 0;
  }

  goOn() {
    if (!this.lesson) return;
    if (this.lesson.outcome?.state === "passed") this.view.endTraining();
    this.lesson = null;
    this.view.stage("loading");
    this.changed();
  }

  /** Put an item and its answers on the screen. No key counts for it until it has been painted. */
  present(item, answers) {
    this.guard.cover();
    this.answers = { ...answers };
    this.active = nextOpen(this.questions, this.answers)?.key ?? this.questions[0]?.key ?? null;
    const arriving = this.view.showItem(item);
    this.view.showEditing(this.editing !== null);
    this.view.showEarlier(null);
    this.view.suggest(null, this.answers);
    this.view.showProblems([]);
    this.view.showSubmit(!this.advances);
    this.view.showAnswers(this.answers, this.active);
    this.view.showUndo(this.outbox.lastAction(this.editing?.seq)?.record);
    this.focusField();
    this.presented = item;
    if (arriving) void arriving.then(() => this.awaitPaint(item));
    else this.awaitPaint(item);
  }

  /** Let keys count from the moment when the item is on the screen. */
  awaitPaint(item) {
    requestAnimationFrame(() => {
      // The frame with the item is drawn after this callback; the message comes after the drawing.
      const painted = new MessageChannel();
      painted.port1.onmessage = () => {
        if (this.presented !== item) return;
        const now = performance.now();
        this.guard.uncover(now);
        this.shownAt = now;
        this.hiddenFor = 0;
      };
      painted.port2.postMessage(null);
    });
  }

  /** A question with a field takes the typing at once; on a touch screen that would open the keyboard. */
  focusField() {
    const question = this.questions.find((one) => one.key === this.active);
    const typed = question && (question.kind === "text" || question.kind === "number");
    if (typed && !matchMedia("(pointer: coarse)").matches) this.view.focusQuestion(question.key);
    else if (document.activeElement?.matches?.(".input, .choice")) document.activeElement.blur();
  }

  showNothing(status) {
    const { empty } = this.outbox;
    const values = { n: status.waiting };
    if (["signed_out", "forbidden", "offline", "trouble"].includes(status.is)) {
      if (!this.outbox.refreshed && status.is === "trouble") return this.view.stage("loading");
      return this.view.showEmpty(status.is === "trouble" ? "offline" : status.is, values);
    }
    if (!empty) {
      const settled = this.outbox.refreshed && !this.outbox.wantsLeases && !status.waiting;
      return settled && status.refused ? this.view.showEmpty("refused", { n: status.refused }) : this.view.stage("loading");
    }
    this.scheduleLook(empty);
    return this.view.showEmpty(this.emptyKind(empty), {
      n: empty.held,
      time: empty.until && new Date(empty.until).toLocaleTimeString(document.documentElement.lang, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" }),
      reason: empty.reason || empty.because,
    });
  }

  emptyKind({ because, stopped }) {
    if (boot.project.state === "archived") return "archived";
    if (because === "all_done" && this.outbox.progress?.total === 0) return "not_started";
    return because === "paused" && stopped && stopped !== "project" ? `stopped_${stopped}` : because;
  }

  /** Look again by itself: when the others' leases end, else every minute while the page is seen. */
  scheduleLook(empty) {
    if (this.lookTimer) return;
    const until = empty.until ? Date.parse(empty.until) - this.api.now() : 60_000;
    const wait = Math.min(Math.max(until, 15_000), 120_000) + Math.random() * 5_000;
    this.lookTimer = setTimeout(() => {
      this.lookTimer = null;
      if (!this.outbox.leases.length && !document.hidden) this.outbox.lookAgain();
    }, wait);
  }

  // Answering ----------------------------------------------------------------------------------------

  /** Take a class (or `null`: none of them) of a question. */
  take(question, name) {
    this.answers[question.key] = name === null ? [] : choose(question, this.answers[question.key], name);
    if (this.advances) return this.submit(name);
    if (question.kind !== "multiple") this.active = nextOpen(this.questions, this.answers, question.key)?.key ?? question.key;
    else this.active = question.key;
    this.view.showProblems([]);
    this.view.showAnswers(this.answers, this.active, { fields: false });
    if (this.active !== question.key) this.moveTo(this.active);
    return this.keepDraft();
  }

  /** Give the suggested answers to the questions that are still open; where one answer is all, it is sent. */
  takeSuggestion() {
    const open = this.view.suggestedOpen(this.answers);
    for (const question of open) this.answers[question.key] = this.view.suggestion.answers[question.key];
    if (open.length === 1 && this.advances) return this.submit(this.answers[open[0].key]);
    this.active = nextOpen(this.questions, this.answers)?.key ?? this.active;
    this.view.showProblems([]);
    this.view.showAnswers(this.answers, this.active, { fields: false });
    return this.keepDraft();
  }

  moveTo(key) {
    const question = this.questions.find((one) => one.key === key);
    this.view.focusQuestion(key, { focusChoices: false });
    if (question.kind !== "text" && question.kind !== "number") document.activeElement?.blur?.();
  }

  /** Save what is on the screen and show the next item. */
  submit(pressed = null) {
    const found = problems(this.questions, this.answers);
    if (found.length) {
      this.active = found[0].key;
      this.view.showAnswers(this.answers, this.active, { fields: false });
      this.view.showProblems(found);
      return;
    }
    const answers = toSend(this.questions, this.answers);
    if (this.editing) return this.finishEditing(answers);
    const { lease } = this;
    if (!lease) return;
    this.drafts.delete(lease.id);
    if (!this.oneKey) void this.store.write([["meta", "delete", "draft"]]);
    this.outbox.answer(lease, answers, performance.now() - this.shownAt - this.hiddenFor);
    if (pressed !== null) this.view.flash(this.questions[0].key, pressed);
  }

  /** Half-filled forms survive a reload. */
  keepDraft() {
    if (this.editing || !this.lease) return;
    this.drafts.set(this.lease.id, { ...this.answers });
    clearTimeout(this.draftTimer);
    const record = { name: "draft", lease: this.lease.id, answers: { ...this.answers } };
    this.draftTimer = setTimeout(() => {
      if (this.drafts.has(record.lease)) void this.store.write([["meta", "put", record]]);
    }, 300);
  }

  // Earlier answers ----------------------------------------------------------------------------------

  async undo() {
    let last = this.outbox.lastAction(this.editing?.seq);
    if (!last && !this.outbox.recent.length && (await this.outbox.fetchRecent())) last = this.outbox.lastAction();
    if (!last) return this.view.toast(this.view.say("nothing_to_undo"));
    if (last.record) return this.edit(last.record);
    const lease = this.outbox.takeBack(last.entry);
    if (lease) this.view.toast(this.view.say("taken_back"));
    return this.stopEditing();
  }

  edit(record) {
    if (this.passive) return;
    this.editing = record;
    this.present(record.item, this.fieldsOf(record.answers));
  }

  /** Answers as the form holds them: a number is the text that was typed. */
  fieldsOf(answers) {
    const fields = {};
    for (const [key, value] of Object.entries(answers ?? {})) fields[key] = typeof value === "number" ? String(value) : value;
    return fields;
  }

  finishEditing(answers) {
    const record = this.editing;
    if (JSON.stringify(answers) === JSON.stringify(record.answers) && !record.refused) {
      this.view.toast(this.view.say("unchanged"));
    } else {
      if (record.refused) this.outbox.retry(record.refused, answers);
      else this.outbox.change(record, answers);
      this.view.toast(this.view.say("changed"));
    }
    this.stopEditing();
  }

  stopEditing() {
    this.editing = null;
    this.lease = null;
    this.view.showEditing(false);
    this.view.stage("loading");
    this.changed();
  }

  // Commands -----------------------------------------------------------------------------------------

  command(name) {
    if (name === "undo") return this.lesson ? undefined : void this.undo();
    if (name === "guideline" || name === "help") return this.open(name);
    if (this.editing) return this.view.toast(this.view.say("not_while_editing"));
    if (name === "flag" && boot.trial) return undefined;
    if (!this.lease) return undefined;
    if (name === "later") return this.putAway("later", {}, "put_off");
    return this.open(name);
  }

  putAway(kind, body, words) {
    const { lease } = this;
    if (!lease || this.editing) return;
    this.drafts.delete(lease.id);
    this.outbox.putAway(kind, lease, body);
    this.view.toast(this.view.say(words));
  }

  skip(reason) {
    const note = byId("skip-note").value.trim();
    this.close("skip");
    this.putAway("skip", note ? { reason, note } : { reason }, "skipped");
  }

  flag(event) {
    event.preventDefault();
    const note = byId("flag-note").value.trim();
    const broken = byId("flag-broken").checked;
    byId("flag-problem").hidden = Boolean(note) || broken;
    if (!note && !broken) return byId("flag-note").focus();
    this.close("flag");
    if (broken) return this.putAway("flag", { note, broken }, "flagged");
    if (this.lease) this.outbox.note(this.lease, { note, broken });
    return this.view.toast(this.view.say("flagged"));
  }

  /** Ask the lead about the item, which stays in hand. */
  ask() {
    const text = byId("flag-note").value.trim();
    byId("flag-problem").hidden = Boolean(text);
    if (!text) return byId("flag-note").focus();
    this.close("flag");
    if (this.lease) this.outbox.note(this.lease, { lease: this.lease.id, text }, "inquiry");
    return this.view.toast(this.view.say("asked"));
  }

  open(name) {
    const dialog = byId(name);
    if (dialog.open) return;
    for (const other of document.querySelectorAll("dialog[open]")) other.close();
    if (name === "guideline") this.fillGuideline();
    if (name === "skip") byId("skip-note").value = "";
    if (name === "flag") byId("flag-form").reset();
    if (name === "flag") byId("flag-problem").hidden = true;
    if (name === "status") {
      this.fillStatus();
      void this.outbox.fetchDrafts().then(() => dialog.open && this.fillStatus());
    }
    if (name === "menu") {
      this.fillMenu();
      if (dialog.querySelector("form")) void import("./signout.js");
    }
    if (name === "progress") this.view.fillProgress(this.outbox.progress, this.outbox.mineToday());
    if (name === "recent") {
      this.fillRecent();
      void this.outbox.fetchRecent().then(() => dialog.open && this.fillRecent());
    }
    dialog.showModal();
  }

  close(name) {
    byId(name).close();
  }

  fillStatus() {
    const status = this.outbox.status();
    this.view.fillStatus(status, this.outbox.leases.length);
    this.view.fillRefused(this.outbox.refusals(), {
      open: (entry) => this.openRefused(entry),
      again: (entry) => void this.sendAgain(entry),
      discard: (entry) => void this.outbox.discard(entry).then(() => this.fillStatus()),
    });
  }

  async sendAgain(entry) {
    const refusal = await this.outbox.again(entry);
    if (refusal !== undefined) this.view.toast(refusal || this.view.say("not_sent"));
    this.fillStatus();
  }

  openRefused(entry) {
    this.close("status");
    this.edit({ key: entry.key, seq: entry.seq, item: entry.item, answers: entry.body.answers, refused: entry });
  }

  fillRecent() {
    const stateOf = (record) => this.outbox.entries.find((entry) => entry.key === record.key || entry.of === record.key)?.state;
    this.view.fillRecent(this.outbox.recent, stateOf, (record) => {
      this.close("recent");
      this.edit(record);
    });
  }

  fillMenu() {
    this.view.showOffline(this.outbox.offline, this.outbox.leases.length, boot.settings.offline_ahead);
    byId("auto-advance").checked = this.autoAdvance;
    byId("advance-setting").hidden = !this.oneKey;
    showTheme();
  }

  fillGuideline() {
    const version = boot.guideline?.version ?? 0;
    const changed = this.guidelineRead > 0 && this.guidelineRead < version;
    this.view.fillGuideline(changed ? this.view.say("guideline_changed", { n: version }) : "");
    void this.fillExamples();
  }

  /** Fetched each time: an example of an item that was still to be labelled appears once it is answered. */
  async fillExamples() {
    const { status, json } = await this.api.request("GET", boot.urls.examples);
    this.view.fillExamples(status === 200 && json ? json.html : null);
  }

  /** The version that this person has read: as the server knows it, or as this browser does. */
  get guidelineRead() {
    return Math.max(boot.guideline?.read ?? 0, Number(prefs.read(`guideline:${person}`) ?? 0));
  }

  readGuideline() {
    const version = boot.guideline?.version ?? 0;
    this.shownAt = performance.now();
    if (this.guidelineRead >= version) return;
    prefs.write(`guideline:${person}`, String(version));
    if (boot.urls.guideline_read) void this.api.request("POST", boot.urls.guideline_read, new URLSearchParams({ version }));
  }

  /** The instructions open by themselves on the first visit and after a change. */
  greet() {
    if (boot.guideline?.html && this.guidelineRead < boot.guideline.version) this.open("guideline");
  }

  // Keys, taps, network ------------------------------------------------------------------------------

  bind() {
    document.addEventListener("keydown", (event) => this.onKey(event));
    document.addEventListener("click", (event) => this.onClick(event));
    this.view.panel.addEventListener("submit", (event) => event.preventDefault());
    this.view.panel.addEventListener("input", (event) => this.onInput(event));
    this.view.panel.addEventListener("focusin", (event) => this.onFocus(event));
    byId("flag-form").addEventListener("submit", (event) => this.flag(event));
    byId("flag-note").addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) this.flag(event);
    });
    byId("guideline").addEventListener("close", () => this.readGuideline());
    for (const dialog of document.querySelectorAll("dialog")) {
      dialog.addEventListener("close", () => {
        if (this.shows() && document.activeElement === document.body) this.focusField();
      });
    }
    byId("editing-back").addEventListener("click", () => this.stopEditing());
    byId("empty-again").addEventListener("click", () => this.outbox.lookAgain());
    byId("status-now").addEventListener("click", () => this.outbox.kick());
    byId("work-offline").addEventListener("click", () => {
      this.outbox.workOffline(!this.outbox.offline);
      this.fillMenu();
    });
    byId("auto-advance").addEventListener("change", (event) => this.setAdvance(event.target.checked));
    byId("show-definitions").addEventListener("change", (event) => {
      prefs.write("definitions", event.target.checked ? "1" : "0");
      this.view.showDefinitions(event.target.checked);
    });
    window.addEventListener("online", () => this.outbox.kick());
    window.addEventListener("offline", () => this.changed());
    window.addEventListener("beforeunload", (event) => {
      if (!this.store.durable && this.outbox.waiting.length) event.preventDefault();
    });
    document.addEventListener("visibilitychange", () => this.onVisible());
    setInterval(() => this.tick(), 1000);
    setInterval(() => document.hidden || void this.outbox.extend(), 30_000);
  }

  tick() {
    if (this.outbox.waiting.length || this.outbox.net.is !== "ok") this.view.showStatus(this.outbox.status());
  }

  onVisible() {
    if (document.hidden) {
      this.hiddenSince = performance.now();
      return;
    }
    if (this.hiddenSince !== null) this.hiddenFor += performance.now() - this.hiddenSince;
    this.hiddenSince = null;
    if (this.passive) return;
    void this.outbox.extend();
    if (this.outbox.net.is !== "ok") this.outbox.kick();
    else if (!this.outbox.leases.length && this.outbox.refreshed) this.outbox.lookAgain();
  }

  setAdvance(on) {
    this.autoAdvance = on;
    prefs.write("advance", on ? "1" : "0");
    this.view.showSubmit(!this.advances);
  }

  onKey(event) {
    if (event.isComposing || event.defaultPrevented) return;
    const dialog = document.querySelector("dialog[open]");
    if (dialog) return this.onDialogKey(event, dialog);
    if (this.passive) return;
    const field = event.target.closest?.(".input");
    if (field) return this.onFieldKey(event, field);
    if (event.key === "Escape" && this.editing) return this.stopEditing();
    if (this.lesson && event.key === "Enter") {
      event.preventDefault();
      if (this.guard.takes("Enter", event.timeStamp, event)) this.goOn();
      return;
    }
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z") {
      event.preventDefault();
      if (this.guard.takes("undo", event.timeStamp, event)) void this.undo();
      return;
    }
    if (event.key === "Enter" && (event.ctrlKey || !event.target.closest?.("button, a, summary, input, select"))) {
      event.preventDefault();
      if (!this.shows() || !this.guard.takes("Enter", event.timeStamp, event)) return;
      if (this.offers) this.takeSuggestion();
      else this.submit();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    this.onPlainKey(event);
  }

  shows() {
    return this.view.shown === "item";
  }

  /** A class of the active question, or a command of the page. */
  onPlainKey(event) {
    const question = this.questions.find((one) => one.key === this.active);
    for (const key of namesOf(event)) {
      const cls = this.shows() && question?.classes && !RESERVED.has(key) ? classOfKey(question, key) : null;
      const none = !cls && this.shows() && question?.kind === "multiple" && key === NONE_KEY;
      const command = RESERVED.get(key);
      if (!cls && !none && !command) continue;
      event.preventDefault();
      // Instructions and help are not answers: they open over whatever is on the screen.
      const reads = command === "guideline" || command === "help";
      if (reads ? event.repeat : !this.guard.takes(key, event.timeStamp, event)) return;
      if (cls || none) this.take(question, cls?.name ?? null);
      else this.command(command);
      return;
    }
  }

  /** Inside a text field plain keys type; Enter submits and Esc leaves. */
  onFieldKey(event, field) {
    if (event.key === "Escape") {
      field.blur();
      event.preventDefault();
    } else if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      if (!this.guard.takes("Enter", event.timeStamp, event)) return;
      const open = this.questions.length > 1 ? nextOpen(this.questions, this.answers, field.dataset.field) : null;
      if (open && open.required && isAnswered(this.question(field.dataset.field), this.answers[field.dataset.field])) {
        this.active = open.key;
        this.view.showAnswers(this.answers, this.active, { fields: false });
        this.moveTo(open.key);
      } else if (this.offers) this.takeSuggestion();
      else this.submit();
    }
  }

  question(key) {
    return this.questions.find((one) => one.key === key);
  }

  onDialogKey(event, dialog) {
    const closes = { guideline: "h", help: "?" }[dialog.id];
    if (event.key === closes && !event.repeat) {
      event.preventDefault();
      dialog.close();
      return;
    }
    if (dialog.id !== "skip" || event.target === byId("skip-note") || event.repeat || event.ctrlKey || event.altKey) return;
    const reason = dialog.querySelectorAll("[data-reason]")[Number(event.key) - 1];
    if (!reason) return;
    event.preventDefault();
    this.skip(reason.dataset.reason);
  }

  onClick(event) {
    const button = event.target.closest?.("button");
    if (!button) {
      // A click beside a dialog closes it.
      if (event.target instanceof HTMLDialogElement) event.target.close();
      return;
    }
    const { opens, command, reason, themeChoice } = button.dataset;
    if (opens) {
      // After a click the focus goes back to the item when the dialog closes, after a key to the button.
      if (event.detail > 0) button.blur();
      this.open(opens);
    } else if ("close" in button.dataset) button.closest("dialog").close();
    else if (reason) this.skip(reason);
    else if (themeChoice) chooseTheme(themeChoice);
    else if (command) {
      // A focused button would take the next Enter; keys belong to the item.
      if (event.detail > 0) button.blur();
      if (this.guardsTap(event, `tap:${command}`)) this.command(command);
    } else if (button.id === "suggestion-take") {
      button.blur();
      if (this.guardsTap(event, "tap:suggestion")) this.takeSuggestion();
    } else if (button.id === "take-over") void takeTab(person, (active) => this.setActive(active));
    else if (button.id === "flag-ask") this.ask();
    else if (button.id === "lesson-on") {
      if (this.guardsTap(event, "tap:lesson")) this.goOn();
    } else if (button.id === "submit") this.onSubmitTap(event);
    else if (button.closest("[data-question]")) this.onChoice(event, button);
  }

  onSubmitTap(event) {
    if (event.detail > 0) document.activeElement?.blur?.();
    if (this.guardsTap(event, "tap:submit")) this.submit();
  }

  onChoice(event, button) {
    const question = this.question(button.closest("[data-question]").dataset.question);
    if (event.detail > 0) button.blur();
    const name = "none" in button.dataset ? null : button.dataset.class;
    if (this.guardsTap(event, `tap:${question.key}:${name}`)) this.take(question, name);
  }

  /** A double tap is one tap: fingers and mice bounce more slowly than keys. */
  guardsTap(event, id) {
    return this.guard.takes(id, event.timeStamp, { doubleMs: event.detail > 1 ? 180 : 80 });
  }

  onInput(event) {
    const key = event.target.dataset?.field;
    if (!key) return;
    this.answers[key] = event.target.value;
    this.view.showProblems([]);
    this.view.showAnswers(this.answers, this.active, { fields: false });
    this.keepDraft();
  }

  /** The keys belong to the question that has the focus. */
  onFocus(event) {
    const key = event.target.closest?.("[data-question]")?.dataset.question;
    if (!key || key === this.active) return;
    this.active = key;
    this.view.showAnswers(this.answers, this.active, { fields: false });
  }
}

/** Names of a key to try: what it types, then what is printed on it (AZERTY digits, Cyrillic letters). */
function namesOf(event) {
  const names = [event.key.toLowerCase()];
  const printed = /^(?:Digit|Numpad)(\d)$/.exec(event.code) ?? /^Key([A-Z])$/.exec(event.code);
  // A Latin letter that was typed is meant as typed, wherever it sits on the keyboard.
  if (printed && !event.shiftKey && !/^[a-z0-9]$/i.test(event.key)) names.push(printed[1].toLowerCase());
  return names;
}

// One tab ------------------------------------------------------------------------------------------

/** Wait for the lock of this person and project, and tell `tell(true | false)` as it comes and goes.
 *  Browsers without locks (plain http on a network address) label in every tab; the server's keys and
 *  leases still count each answer once. */
async function holdTab(name, tell, options = {}) {
  if (!navigator.locks) return tell(true);
  const late = setTimeout(() => tell(false), 600);
  const lock = `label:${name}`;
  navigator.locks
    .request(lock, options, () => {
      clearTimeout(late);
      tell(true);
      return new Promise(() => {});
    })
    .catch(() => {
      // Another tab took over. Stand in the queue again, in case that one closes.
      tell(false);
      void holdTab(name, tell);
    });
  return undefined;
}

const takeTab = (name, tell) => holdTab(name, tell, { steal: true });

// Theme --------------------------------------------------------------------------------------------

/** The same choice as on the other pages (theme.js applies it before the first paint). */
function chooseTheme(theme) {
  try {
    if (theme === "system") localStorage.removeItem("theme");
    else localStorage.setItem("theme", theme);
  } catch {
    // The choice then lasts as long as the page.
  }
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  showTheme();
}

function showTheme() {
  const theme = document.documentElement.dataset.theme ?? "system";
  for (const button of document.querySelectorAll("[data-theme-choice]")) {
    button.setAttribute("aria-pressed", String(button.dataset.themeChoice === theme));
  }
}

// Without a network --------------------------------------------------------------------------------

/** Keep this page and its files for a reload without a network. */
async function keepShell() {
  if (!("serviceWorker" in navigator)) return;
  try {
    const registration = await navigator.serviceWorker.register(boot.urls.service_worker ?? "/service-worker.js", { scope: "/" });
    const { active } = await navigator.serviceWorker.ready;
    const files = performance
      .getEntriesByType("resource")
      .filter((entry) => ["script", "link", "css"].includes(entry.initiatorType))
      .map((entry) => entry.name);
    (active ?? registration.active).postMessage({ type: "shell", page: location.pathname, files: [...new Set(files)] });
  } catch {
    // Labeling works without; only a reload without a network will not.
  }
}

const page = new LabelPage(await Store.open(boot.member.id, place));
await page.start();
const idle = globalThis.requestIdleCallback ?? ((run) => setTimeout(run, 500));
if (!boot.trial) idle(() => void keepShell());
