// Keeps a page as the server would render it now: it listens for changes, fetches the page again, and puts what differs
// in place of what is there. What somebody is typing into is left alone.

const waiting = { again: false, running: false, controller: null };
const listeners = [];
const QUIET_MS = 150;

export const onChange = (listener) => listeners.push(listener);

export function startLive() {
  if (!document.body.dataset.live || !window.EventSource) return;
  let source = null;
  let opened = false;
  const open = () => {
    source = new EventSource(`/admin/changes?environment=${encodeURIComponent(document.body.dataset.environment)}`);
    source.addEventListener("open", () => {
      say("on", "live");
      if (opened) refresh();
      opened = true;
    });
    source.addEventListener("state", (event) => {
      const { degraded } = JSON.parse(event.data);
      if (degraded !== Boolean(document.querySelector("#degraded .notice"))) refresh();
    });
    source.addEventListener("change", (event) => {
      const change = JSON.parse(event.data);
      // Not all who have the page open at the very same moment.
      setTimeout(refresh, Math.random() * QUIET_MS);
      for (const listener of listeners) listener(change);
    });
    source.addEventListener("error", () => {
      say("off", "not live, reconnecting");
      if (source.readyState === EventSource.CLOSED) setTimeout(() => { refresh(); open(); }, 5000);
    });
  };
  const close = () => source?.close();
  // A browser opens few connections to one server: a tab in the background is not to hold one.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) close();
    else { close(); open(); }
  });
  window.addEventListener("pagehide", close);
  window.addEventListener("pageshow", (event) => event.persisted && open());
  open();
}

function say(state, words) {
  const element = document.querySelector("[data-live-state]");
  element.dataset.state = state;
  element.querySelector("[data-live-word]").textContent = words;
}

// Fetch the page at this address again. One fetch at a time; changes that come meanwhile lead to one more.
export async function refresh(url = shownAddress()) {
  if (waiting.running) {
    waiting.again = true;
    return;
  }
  waiting.running = true;
  try {
    await bringIn(url);
  } finally {
    waiting.running = false;
    if (waiting.again) {
      waiting.again = false;
      setTimeout(refresh, QUIET_MS);
    }
  }
}

export function shownAddress() {
  const url = new URL(location.href);
  const rows = document.querySelectorAll("[data-rows] > tr").length;
  if (rows && !url.searchParams.get("start")) url.searchParams.set("shown", String(rows));
  url.searchParams.delete("done");
  return url.href;
}

export async function bringIn(url, { signal } = {}) {
  let response;
  try {
    response = await fetch(url, { signal });
  } catch {
    return;
  }
  if (response.redirected && new URL(response.url).pathname === "/ui/login") {
    say("off", "signed out: reload to sign in");
    return;
  }
  if (!response.ok) return;
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  for (const fresh of page.querySelectorAll("[data-swap][id]")) swap(document.getElementById(fresh.id), fresh);
  const rows = page.querySelector("[data-rows]");
  if (rows) swapRows(document.querySelector("[data-rows]"), rows);
  document.dispatchEvent(new CustomEvent("wigwag:fresh", { detail: page }));
}

const bare = (html) => html.replace(/(<time[^>]*>)[^<]*/g, "$1");
const known = new WeakMap();

function same(old, fresh) {
  const before = known.get(old) ?? bare(old.innerHTML);
  const now = bare(fresh.innerHTML);
  known.set(old, now);
  return before === now && old.className.replace(/ ?(cursor|picked)/g, "") === fresh.className;
}

function swap(old, fresh) {
  if (!old || same(old, fresh)) return;
  const active = document.activeElement;
  if (old.contains(active) && active.matches("input, textarea, select")) {
    known.delete(old);
    return;
  }
  const place = old.contains(active) ? [...old.querySelectorAll("a, button, summary")].indexOf(active) : -1;
  old.className = fresh.className;
  old.replaceChildren(...fresh.childNodes);
  if (place >= 0) old.querySelectorAll("a, button, summary")[place]?.focus();
}

function swapRows(old, fresh) {
  if (!old) return;
  let place = old.firstElementChild;
  const kept = new Set();
  for (const row of [...fresh.children]) {
    kept.add(row.id);
    const mine = document.getElementById(row.id);
    if (!mine) {
      old.insertBefore(row, place);
      continue;
    }
    if (mine !== place) old.insertBefore(mine, place);
    else place = place.nextElementSibling;
    swapRow(mine, row);
  }
  for (const row of [...old.children]) if (!kept.has(row.id)) row.remove();
}

function swapRow(mine, row) {
  if (same(mine, row)) return;
  const checked = mine.querySelector("input[type=checkbox]")?.checked;
  const active = mine.contains(document.activeElement) ? document.activeElement.closest("td")?.className : null;
  const spark = mine.querySelector("[data-spark]");
  const classes = ["cursor", "picked"].filter((name) => mine.classList.contains(name));
  mine.className = row.className;
  mine.classList.add(...classes);
  mine.replaceChildren(...row.childNodes);
  if (spark) mine.querySelector("[data-spark]")?.replaceWith(spark);
  const box = mine.querySelector("input[type=checkbox]");
  if (box) box.checked = Boolean(checked);
  if (active) mine.querySelector(`td.${CSS.escape(active.split(" ")[0])} :is(a, button, input)`)?.focus();
}
