// What every server-rendered page needs: theme switch, navigation, menus, dialogs, copying,
// notices, and forms that cannot be sent twice by a double click. Everything is delegated
// from the document, so fragments that htmx puts into the page work without being set up.

const root = document.documentElement;

/** Say something in the live region: a notice that stays until it is dismissed or `ms` are over.
 * A notice that is still there is not said twice; a bad one stays until it is dismissed. */
export function notify(text, { tone = "neutral", ms = 6000 } = {}) {
  const region = document.getElementById("toasts");
  const template = document.getElementById("toast-template");
  if (!region || !template) return;
  const shown = [...region.querySelectorAll("[data-toast-text]")].some((said) => said.textContent === text);
  if (shown) return;
  const toast = template.content.firstElementChild.cloneNode(true);
  toast.dataset.tone = tone;
  toast.querySelector("[data-toast-text]").textContent = text;
  region.append(toast);
  if (tone !== "bad") setTimeout(() => toast.remove(), ms);
}

/** A text of the page that the server has translated: <body data-text-copied="Copied">. */
function translated(key) {
  return document.body.dataset[key] ?? "";
}

// The menu is longer than many a screen: it opens where one is.
const here = document.querySelector('.nav-link[aria-current="page"]');
const menu = here?.closest(".nav-list");
if (menu && menu.scrollHeight > menu.clientHeight) menu.scrollTop = here.offsetTop - menu.clientHeight / 2;

// Theme ---------------------------------------------------------------------------------------

function storedTheme() {
  try {
    return localStorage.getItem("theme") ?? "system";
  } catch {
    return "system";
  }
}

function showTheme(theme) {
  if (theme === "system") delete root.dataset.theme;
  else root.dataset.theme = theme;
  for (const button of document.querySelectorAll("[data-theme-choice]")) {
    button.setAttribute("aria-pressed", String(button.dataset.themeChoice === theme));
  }
}

function chooseTheme(theme) {
  try {
    if (theme === "system") localStorage.removeItem("theme");
    else localStorage.setItem("theme", theme);
  } catch {
    // The choice then lasts as long as the page.
  }
  showTheme(theme);
}

// Menus, navigation, dialogs ------------------------------------------------------------------

function closeMenus(except) {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (menu !== except) menu.open = false;
  }
}

function openDialog(id) {
  const dialog = document.getElementById(id);
  if (dialog instanceof HTMLDialogElement && !dialog.open) dialog.showModal();
}

async function copy(button) {
  const source = document.getElementById(button.dataset.copy);
  if (!source) return;
  const text = source.value ?? source.textContent;
  try {
    await navigator.clipboard.writeText(text.trim());
    notify(translated("textCopied"), { tone: "good" });
  } catch {
    // No clipboard outside https and localhost: leave the text selected for the keyboard.
    source.focus();
    source.select?.();
    notify(translated("textCopyFailed"));
  }
}

document.addEventListener("click", (event) => {
  const target = event.target instanceof Element ? event.target : null;
  if (!target) return;
  closeMenus(target.closest("details.menu"));
  const button = target.closest("button");
  if (!button) {
    if (target instanceof HTMLDialogElement) target.close();
    return;
  }
  if (button.dataset.themeChoice) chooseTheme(button.dataset.themeChoice);
  if (button.dataset.dialogOpen) openDialog(button.dataset.dialogOpen);
  if ("dialogClose" in button.dataset) button.closest("dialog")?.close();
  if (button.dataset.copy) void copy(button);
  if ("dismiss" in button.dataset) button.closest("[data-dismissable]")?.remove();
  if (button.matches(".nav-toggle")) {
    button.setAttribute("aria-expanded", String(button.getAttribute("aria-expanded") !== "true"));
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const open = document.querySelector("details.menu[open]");
  if (!open) return;
  open.open = false;
  open.querySelector("summary")?.focus();
});

// Forms ---------------------------------------------------------------------------------------

// A second submit of the same form within the same page is always a double click.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!(form instanceof HTMLFormElement) || form.method !== "post") return;
  if ([...form.attributes].some((attribute) => attribute.name.startsWith("hx-"))) return;
  if (form.getAttribute("aria-busy") === "true") event.preventDefault();
  else form.setAttribute("aria-busy", "true");
});

// A page taken from the back-forward cache may be sent again.
window.addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  for (const form of document.querySelectorAll("form[aria-busy]")) form.removeAttribute("aria-busy");
});

document.addEventListener("change", (event) => {
  const field = event.target;
  if (field instanceof HTMLSelectElement && "submitOnChange" in field.dataset) field.form?.requestSubmit();
});

// The network ---------------------------------------------------------------------------------

function showConnection() {
  const notice = document.getElementById("offline-notice");
  if (notice) notice.hidden = navigator.onLine;
}
window.addEventListener("offline", showConnection);
window.addEventListener("online", showConnection);

// Errors of htmx requests: the server's own words where it sent a problem document.
document.addEventListener("htmx:responseError", (event) => {
  const xhr = event.detail.xhr;
  let detail = "";
  try {
    const problem = JSON.parse(xhr.responseText);
    detail = problem.detail ?? problem.title ?? "";
  } catch {
    // A page and not a problem document: the general sentence is enough.
  }
  notify(detail || `${translated("textFailed")} (${xhr.status})`, { tone: "bad" });
});
document.addEventListener("htmx:sendError", () => notify(translated("textUnreachable"), { tone: "bad" }));

// Start ---------------------------------------------------------------------------------------

showTheme(storedTheme());
showConnection();
document.getElementById("error-summary")?.focus();
