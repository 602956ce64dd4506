// Small comforts of the forms that name a project: the short name follows the name until somebody
// writes one, and after a row was added the cursor stands in it. The forms work without.

const follower = document.querySelector("[data-slug-of]");
const leader = follower && document.getElementById(follower.dataset.slugOf);

/** A name as it may stand in an address. */
function slug(text) {
  const plain = text.replaceAll("ß", "ss").normalize("NFKD").replace(/[\u0300-\u036f]/g, "");
  return plain.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 60).replace(/-+$/, "");
}

if (leader) {
  let follows = follower.value === "" || follower.value === slug(leader.value);
  leader.addEventListener("input", () => {
    if (follows) follower.value = slug(leader.value);
  });
  follower.addEventListener("input", () => {
    follows = follower.value === "";
  });
}

document.addEventListener("htmx:afterSettle", () => {
  const editor = document.querySelector("[data-refocus]");
  if (!editor) return;
  document.getElementById(editor.dataset.refocus)?.focus();
  delete editor.dataset.refocus;
});
