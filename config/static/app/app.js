// Small helps on top of pages that work without them: menus, the grid's keys, reasons, selection, toasts.
const LANGUAGE = document.documentElement.lang === "en" ? "en-GB" : document.documentElement.lang;
const find = (selector, root = document) => root.querySelector(selector);
const findAll = (selector, root = document) => Array.from(root.querySelectorAll(selector));

// --- menus: one open at a time, closed by a click elsewhere or Escape ---------------------------
document.addEventListener("click", (event) => {
  findAll("details[data-popup][open]").forEach((menu) => {
    if (!menu.contains(event.target)) menu.open = false;
  });
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  findAll("details[data-popup][open]").forEach((menu) => {
    menu.open = false;
    find("summary", menu).focus();
  });
});

// --- filters: what is not chosen does not stand in the address ------------------------------------
document.addEventListener("htmx:configRequest", (event) => {
  if (!event.detail.elt.matches("[data-filters]")) return;
  const chosen = event.detail.parameters;
  Object.keys(chosen).filter((name) => chosen[name] === "").forEach((name) => delete chosen[name]);
});
// The search field has searched while it was typed in; leaving it must not load the list again.
document.addEventListener("change", (event) => {
  if (event.target.matches('[data-filters] input[type="search"]')) event.stopPropagation();
}, true);

// --- toasts --------------------------------------------------------------------------------------
function toast(text) {
  const note = document.createElement("div");
  note.className = "toast-note";
  note.textContent = text;
  find("#toasts").append(note);
  setTimeout(() => note.remove(), 6000);
}
document.addEventListener("htmx:responseError", () => toast(document.body.dataset.requestFailed));
document.addEventListener("htmx:sendError", () => toast(document.body.dataset.requestFailed));

// --- the grid: a changed quantity asks for its reason at once -------------------------------------
function showReason(form) {
  const slot = find("[data-reason]", form);
  const template = find("#reason-fields");
  if (!slot || !slot.hidden || !template) return slot;
  const fields = template.content.firstElementChild.cloneNode(true);
  slot.replaceWith(fields);
  return fields;
}
document.addEventListener("input", (event) => {
  const form = event.target.closest("[data-quantity-form]");
  if (!form || event.target.name !== "quantity") return;
  const changed = event.target.value !== form.dataset.suggested;
  event.target.classList.toggle("is-changed", changed);
  if (changed) showReason(form);
  const cell = find("[data-line-value]", form.closest("tr"));
  if (cell && event.target.value !== "") {
    const value = Number(cell.dataset.lineValue) * Number(event.target.value);
    cell.textContent = value.toLocaleString(LANGUAGE, { style: "currency", currency: cell.dataset.currency });
  }
});
// A first click on "reject" opens the reasons instead of sending a form that would be refused.
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-reject]");
  if (!button) return;
  const slot = find("[data-reason]", button.form);
  if (slot && slot.hidden && find("#reason-fields")) {
    event.preventDefault();
    find("select", showReason(button.form)).focus();
  }
}, true);

// --- selection and the bulk bar -------------------------------------------------------------------
const picks = () => findAll('.planning-grid input[name="row"]');

function refreshBulk() {
  const bar = find("[data-bulk]");
  if (!bar) return;
  const chosen = picks().filter((box) => box.checked);
  const sums = {};
  chosen.forEach((box) => {
    sums[box.dataset.currency] = (sums[box.dataset.currency] || 0) + Number(box.dataset.value);
  });
  picks().forEach((box) => box.closest("tr").classList.toggle("is-picked", box.checked));
  bar.classList.toggle("has-picks", chosen.length > 0);
  find("[data-bulk-count]", bar).textContent = chosen.length;
  const money = (currency) => sums[currency].toLocaleString(LANGUAGE, {
    style: "currency", currency, maximumFractionDigits: 0,
  });
  find("[data-bulk-value]", bar).textContent = Object.keys(sums).length ? `(${Object.keys(sums).map(money).join(", ")})` : "";
}
let lastPicked = null;
document.addEventListener("click", (event) => {
  const box = event.target.closest('.planning-grid input[name="row"]');
  if (!box) return;
  if (event.shiftKey && lastPicked) {
    const all = picks();
    const [from, to] = [all.indexOf(lastPicked), all.indexOf(box)].sort((a, b) => a - b);
    all.slice(from, to + 1).forEach((one) => { one.checked = box.checked; });
  }
  lastPicked = box;
});
document.addEventListener("change", (event) => {
  if (event.target.matches("[data-pick-page]")) {
    picks().forEach((box) => { box.checked = event.target.checked; });
  }
  if (event.target.closest(".planning-grid, [data-bulk]")) refreshBulk();
});
document.addEventListener("htmx:afterSwap", refreshBulk);

// --- keys of the grid -------------------------------------------------------------------------------
const rows = () => findAll(".planning-grid tbody tr[data-row]");
const current = () => find(".planning-grid tr.is-current");

function moveTo(row) {
  if (!row) return;
  current()?.classList.remove("is-current");
  row.classList.add("is-current");
  row.scrollIntoView({ block: "nearest" });
}
function step(direction) {
  const all = rows();
  const place = all.indexOf(current());
  moveTo(all[Math.min(Math.max(place + direction, 0), all.length - 1)]);
}
const inRow = (selector) => current() && find(selector, current());
const KEYS = {
  j: () => step(1),
  k: () => step(-1),
  x: () => inRow('input[name="row"]')?.click(),
  e: () => { const field = inRow('input[name="quantity"]'); field?.focus(); field?.select(); },
  a: () => inRow('button[value="approve"]')?.click(),
  r: () => inRow('button[value="reject"]')?.click(),
  Enter: () => inRow("[data-open]")?.click(),
};
document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input:not([type=checkbox]), textarea, select, [contenteditable]");
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "/") {
    const search = find("#id_q");
    if (search) { event.preventDefault(); search.focus(); search.select(); }
    return;
  }
  const neighbour = find(`a[data-key="${CSS.escape(event.key)}"]`);
  if (neighbour) { neighbour.click(); return; }
  if (!find(".planning-grid") || !Object.hasOwn(KEYS, event.key)) return;
  if (event.key === "Enter" && event.target.closest("a, button, summary")) return;
  event.preventDefault();
  KEYS[event.key]();
});
document.addEventListener("keydown", (event) => {
  // Escape leaves the field, so that the keys of the grid work again
  if (event.key === "Escape" && event.target.matches(".planning-grid input, #id_q")) event.target.blur();
});
// After a decision the next open row is the current one.
document.addEventListener("htmx:afterSettle", (event) => {
  const row = event.target.closest?.("tr[data-row]") || event.detail.elt?.closest?.("tr[data-row]");
  if (row && row.classList.contains("is-done") && row.nextElementSibling) moveTo(row.nextElementSibling);
});

// --- forms that may be sent once ------------------------------------------------------------------
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("[data-once]") || event.defaultPrevented) return;
  if (form.dataset.sent) { event.preventDefault(); return; }
  form.dataset.sent = "yes";
});
window.addEventListener("pageshow", () => {
  findAll("form[data-sent]").forEach((form) => delete form.dataset.sent);
  refreshBulk();
});
