// Settling by keys: digits choose a class (or an offered answer), c goes through the causes, g marks a candidate for
// gold, Enter settles, n skips, r asks reviewers, u takes back. Escape leaves a text field. Everything works by
// mouse and Tab as well, and without this script.

const form = document.querySelector("[data-adjudicate]");

/** Whether the keys belong to what has the focus: a text field, a list, an open dialog or menu. */
function isTaken(target) {
  if (document.querySelector("dialog[open]")) return true;
  return target.matches("textarea, select, input:not([type=radio]):not([type=checkbox])");
}

function choose(key) {
  const field = form?.querySelector(`[data-key="${key}"]`);
  if (!field) return false;
  if (field.dataset.offer !== undefined) form.querySelector("#value").value = field.dataset.offer;
  else field.click();
  field.focus();
  return true;
}

function nextCause() {
  const causes = [...(form?.querySelectorAll("[name=cause]") ?? [])];
  if (!causes.length) return false;
  const at = causes.findIndex((one) => one.checked);
  const next = causes[(at + 1) % causes.length];
  next.checked = true;
  next.focus();
  return true;
}

function press(selector) {
  const found = document.querySelector(selector);
  found?.click();
  return Boolean(found);
}

function settle(target) {
  // Enter on a link, a button or a folded part does what it does everywhere.
  if (target.closest("a, button, summary")) return false;
  if (!form) return press("[data-start]");
  form.requestSubmit();
  return true;
}

const keys = {
  c: nextCause,
  g: () => Boolean(form) && press("[data-gold]"),
  n: () => press("[data-skip]"),
  r: () => press("[data-refer]"),
  u: () => press("[data-undo]"),
};

document.addEventListener("keydown", (event) => {
  const target = event.target instanceof Element ? event.target : document.body;
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.defaultPrevented) return;
  if (event.key === "Escape" && target.matches("textarea, input") && !document.querySelector("dialog[open]")) {
    target.blur();
    return;
  }
  if (isTaken(target) || event.repeat) return;
  let done = false;
  if (event.key === "Enter") done = settle(target);
  else if (/^[0-9]$/.test(event.key)) done = choose(event.key);
  else if (Object.hasOwn(keys, event.key)) done = keys[event.key]();
  if (done) event.preventDefault();
});
