// On the count sheet Enter goes on to the next figure; after the last one it saves. Without this file it saves.
const inputs = () => Array.from(document.querySelectorAll("[data-count-sheet] .count-input"));

document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !event.target.matches("[data-count-sheet] .count-input")) return;
  const all = inputs();
  const next = all[all.indexOf(event.target) + 1];
  if (!next) return;
  event.preventDefault();
  next.focus();
  next.select();
});

// A wheel that turns over a focused number would change it unseen.
document.addEventListener("wheel", (event) => {
  if (event.target.matches("[data-count-sheet] .count-input:focus")) event.target.blur();
}, { passive: true });

// Figures that are not saved yet must not be lost by a tap on a link.
let changed = false;
document.addEventListener("input", (event) => {
  if (event.target.matches("[data-count-sheet] .count-input")) changed = true;
});
document.addEventListener("submit", () => { changed = false; });
window.addEventListener("beforeunload", (event) => {
  if (changed) event.preventDefault();
});
