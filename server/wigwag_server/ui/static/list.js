// The list of flags: found as somebody types, walked with keys, chosen, and grown as somebody scrolls.

import { later } from "./api.js";
import { askKill } from "./kill.js";
import { bringIn } from "./live.js";

const MOST_ROWS = 1200;
const typing = (target) => target.closest?.("input:not([type=checkbox]), textarea, select, [contenteditable], dialog");

export function startList() {
  const search = document.querySelector("[data-search]");
  if (search) startSearch(search);
  document.addEventListener("keydown", keys);
  if (!document.querySelector("[data-rows]")) return;
  document.addEventListener("change", (event) => event.target.matches("[data-rows] input[type=checkbox]") && showPicked());
  document.addEventListener("wigwag:fresh", () => { showPicked(); watch(); });
  document.querySelector("[data-choose]").addEventListener("submit", (event) => {
    // Reviving has a page of its own, which says what comes back of each flag.
    if (event.submitter?.matches("[data-revive-picked]")) return;
    event.preventDefault();
    askKill(picked());
  });
  showPicked();
  watch();
}

function startSearch(form) {
  let controller = null;
  const find = () => {
    const url = new URL(form.action || location.href);
    url.search = "";
    for (const [name, value] of new FormData(form)) if (value && !(name === "sort" && value === "key")) url.searchParams.set(name, value);
    history.replaceState(null, "", url);
    controller?.abort();
    controller = new AbortController();
    bringIn(url.href, { signal: controller.signal });
  };
  const soon = later(find, 120);
  form.addEventListener("input", soon);
  form.addEventListener("submit", (event) => { event.preventDefault(); find(); });
}

const rows = () => [...document.querySelectorAll("[data-rows] > tr")];
const picked = () => rows().filter((row) => row.querySelector("input:checked")).map((row) => row.dataset.key);

function showPicked() {
  const chosen = picked();
  for (const row of rows()) row.classList.toggle("picked", row.querySelector("input:checked") !== null);
  const bar = document.querySelector("[data-picked]");
  if (!bar) return;
  bar.classList.toggle("shown", chosen.length > 0);
  bar.querySelector("[data-picked-count]").textContent = `${chosen.length} chosen`;
  const killed = rows().filter((row) => row.matches(".picked.is-killed")).length;
  bar.querySelector("[data-kill-picked]").textContent = chosen.length === 1 ? "Kill it" : `Kill ${chosen.length} flags`;
  // With nothing but killed flags chosen, a kill is hardly what is wanted; a reason may still be to be changed.
  const revive = bar.querySelector("[data-revive-picked]");
  if (!revive) return;
  revive.hidden = killed === 0;
  revive.textContent = killed === chosen.length ? (killed === 1 ? "Revive it…" : `Revive ${killed} flags…`) : `Revive ${killed} of them…`;
}

function keys(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) {
    if (event.key === "Escape" && event.target.matches?.("[data-search] input")) event.target.blur();
    return;
  }
  const act = { "/": focusSearch, j: () => move(1), k: () => move(-1), x: pick, K: kill, "?": help }[event.key];
  if (act && act() !== false) event.preventDefault();
}

function focusSearch() {
  const field = document.querySelector("[data-search] input[type=search]");
  if (!field) return false;
  field.focus();
  field.select();
  return true;
}

const cursor = () => document.activeElement.closest?.("[data-rows] > tr") ?? document.querySelector("tr.cursor");

function move(by) {
  const all = rows();
  if (!all.length) return false;
  const next = Math.min(all.length - 1, Math.max(0, all.indexOf(cursor()) + by));
  for (const row of all) row.classList.toggle("cursor", row === all[next]);
  all[next].querySelector(".name").focus({ preventScroll: true });
  all[next].scrollIntoView({ block: "nearest" });
  return true;
}

function pick() {
  const box = cursor()?.querySelector("input[type=checkbox]");
  if (!box) return false;
  box.checked = !box.checked;
  showPicked();
  return true;
}

function kill() {
  const chosen = picked();
  const key = cursor()?.dataset.key ?? document.querySelector(".flag-head [data-kill]")?.dataset.kill;
  if (!chosen.length && !key) return false;
  askKill(chosen.length ? chosen : [key]);
  return true;
}

function help() {
  document.getElementById("help-dialog").showModal();
}

// Rows that come into view show how often they were decided; the end of the list brings more of it.
const seen = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (!isIntersecting) continue;
    seen.unobserve(target);
    if (target.matches("[data-more]")) more(target);
    else queue.push(target);
  }
  drain();
}, { rootMargin: "200px" });
const queue = [];
let drawing = 0;

function watch() {
  for (const cell of document.querySelectorAll("[data-spark]:empty:not([data-asked])")) seen.observe(cell);
  const link = document.querySelector("[data-more]");
  if (link) seen.observe(link);
}

async function drain() {
  while (drawing < 3 && queue.length) {
    const cell = queue.shift();
    if (!cell.isConnected || cell.dataset.asked || getComputedStyle(cell).display === "none") continue;
    cell.dataset.asked = "yes";
    drawing += 1;
    draw(cell).finally(() => { drawing -= 1; drain(); });
  }
}

async function draw(cell) {
  const key = cell.closest("tr").dataset.key;
  const response = await fetch(`${document.body.dataset.base}/flags/${encodeURIComponent(key)}/spark`);
  if (!response.ok || response.redirected) return;
  const drawn = new DOMParser().parseFromString(await response.text(), "text/html");
  cell.replaceChildren(...drawn.body.childNodes);
}

async function more(link) {
  const shown = rows().length;
  const url = new URL(location.href);
  if (url.searchParams.get("start") || shown >= MOST_ROWS) return;
  url.searchParams.set("shown", String(shown + 120));
  link.textContent = "Loading…";
  await bringIn(url.href);
}
