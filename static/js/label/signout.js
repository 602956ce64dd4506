// Signing out empties what the label page keeps in this browser, after a warning if answers still
// wait there. For every page with <form data-sign-out data-warning="{n} answers …">.

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
  const { countWaiting, wipe } = await import("./store.js");
  const waiting = await countWaiting();
  if (waiting && !confirm((form.dataset.warning ?? "").replace("{n}", String(waiting)))) return;
  await wipe();
  leaving = true;
  form.requestSubmit();
}
