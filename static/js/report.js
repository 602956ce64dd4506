// The agreement report: pictures as PNG, and paper with everything unfolded.

import { notify } from "./app.js";

const SCALE = 2; // sharp on paper and on dense screens

/** Draw an SVG of our own on a canvas and give it to the reader as a file. */
async function savePng(link) {
  const answer = await fetch(link.href);
  if (!answer.ok) throw new Error(String(answer.status));
  const source = URL.createObjectURL(new Blob([await answer.text()], { type: "image/svg+xml" }));
  try {
    const image = new Image();
    image.src = source;
    await image.decode();
    const canvas = document.createElement("canvas");
    canvas.width = image.naturalWidth * SCALE;
    canvas.height = image.naturalHeight * SCALE;
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    const png = await new Promise((done) => canvas.toBlob(done, "image/png"));
    const file = document.createElement("a");
    file.href = URL.createObjectURL(png);
    file.download = link.dataset.png;
    file.click();
    setTimeout(() => URL.revokeObjectURL(file.href), 10_000);
  } finally {
    URL.revokeObjectURL(source);
  }
}

document.addEventListener("click", (event) => {
  const target = event.target instanceof Element ? event.target : null;
  if (target?.closest("[data-print]")) window.print();
  const link = target?.closest("a[data-png]");
  if (!link) return;
  event.preventDefault();
  savePng(link).catch(() => notify(document.body.dataset.textFailed ?? "", { tone: "bad" }));
});

let unfolded = [];
window.addEventListener("beforeprint", () => {
  unfolded = [...document.querySelectorAll("main details:not([open])")];
  for (const part of unfolded) part.open = true;
});
window.addEventListener("afterprint", () => {
  for (const part of unfolded) part.open = false;
  unfolded = [];
});
