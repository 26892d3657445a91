// Keeps a page as the server would render it now: it listens for changes, fetches the page again, and puts what differs
// in place of what is there. What somebody is typing into is left alone.

const waiting = { again: false, running: false, controller: null };
const changed = new Set(); // what is told to whoever does not see it
const listeners = [];
const QUIET_MS = 150;

export const onChange = (listener) => listeners.push(listener);

export function startLive() {
  if (!document.body.dataset.live || !window.EventSource) return;
  let source = null;
  let opened = false;
  let shown = document.body.dataset.cursor;
  let beside = null;
  const follows = document.body.dataset.follows.split(" ");
  const soon = () => setTimeout(() => refresh(), Math.random() * QUIET_MS); // not all who have it open at the same moment
  const watch = (environment) => new EventSource(`/admin/changes?environment=${encodeURIComponent(environment)}`);
  const open = () => {
    source = watch(document.body.dataset.environment);
    if (document.body.dataset.beside) {
      beside = watch(document.body.dataset.beside);
      beside.addEventListener("open", soon);
      beside.addEventListener("change", soon);
    }
    source.addEventListener("system", (event) => {
      if (JSON.parse(event.data).kinds.some((kind) => follows.includes(kind))) soon();
    });
    source.addEventListener("open", () => {
      say("on", "live");
      if (opened) refresh();
      opened = true;
    });
    source.addEventListener("state", (event) => {
      const { degraded, cursor } = JSON.parse(event.data);
      // What was changed after the page was made, and before the stream was open, nobody has told of.
      const missed = shown !== null && cursor !== shown;
      shown = null;
      if (missed || degraded !== Boolean(document.querySelector("#degraded .notice"))) refresh();
    });
    source.addEventListener("change", (event) => {
      const change = JSON.parse(event.data);
      if (follows.includes("change") || change.keys === null) {
        for (const { key } of change.keys ?? []) changed.add(key);
        soon();
      }
      for (const listener of listeners) listener(change);
    });
    source.addEventListener("error", () => {
      say("off", "not live, reconnecting");
      if (source.readyState === EventSource.CLOSED) setTimeout(() => { close(); refresh(); open(); }, 5000);
    });
  };
  const close = () => {
    source?.close();
    beside?.close();
  };
  // What nobody commits (who is connected, what was measured) is looked at now and then.
  const everyS = Number(document.body.dataset.look);
  if (everyS) setInterval(() => document.hidden || refresh(), everyS * 1000);
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
  const url = new URL(document.body.dataset.at || location.href, location.href);
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
  const swapped = [...page.querySelectorAll("[data-swap][id]")].filter((fresh) => swap(document.getElementById(fresh.id), fresh));
  const lists = [...page.querySelectorAll("[data-each][id]")].filter((fresh) => swapEach(document.getElementById(fresh.id), fresh, swap));
  announce([...swapped, ...lists].map((fresh) => fresh.dataset.says).filter(Boolean));
  const rows = page.querySelector("[data-rows]");
  if (rows) swapEach(document.querySelector("[data-rows]"), rows, swapRow);
  document.dispatchEvent(new CustomEvent("wigwag:fresh", { detail: page }));
}

// A list that is read out anew with every change would never be quiet: one line says what is another now.
function announce(regions) {
  const names = [...changed].slice(0, 3).join(", ") + (changed.size > 3 ? ` and ${changed.size - 3} more` : "");
  changed.clear();
  if (!regions.length && !names) return;
  const line = document.querySelector("[data-news]");
  line.textContent = `${regions.join(", ") || "Page"} updated${names ? `: ${names}` : ""}.`;
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
  if (!old || same(old, fresh)) return false;
  const active = document.activeElement;
  if ((old.contains(active) && active.matches("input, textarea, select")) || [...old.querySelectorAll("input, textarea, select")].some(begun)) {
    known.delete(old);
    return false;
  }
  for (const each of old.querySelectorAll("details[open][id]")) fresh.querySelector(`#${CSS.escape(each.id)}`)?.setAttribute("open", "");
  const place = old.contains(active) ? [...old.querySelectorAll("a, button, summary")].indexOf(active) : -1;
  old.className = fresh.className;
  old.replaceChildren(...fresh.childNodes);
  if (place >= 0) old.querySelectorAll("a, button, summary")[place]?.focus();
  return true;
}

// Say whether somebody has begun to fill a field in.
function begun(field) {
  if (field.matches("[type=range]")) return false; // it rounds what it is given, and a number field goes with it
  if (field.matches("[type=checkbox], [type=radio]")) return field.checked !== field.defaultChecked;
  if (field.matches("select")) return field.selectedIndex !== Math.max(0, [...field.options].findIndex((each) => each.defaultSelected));
  return field.value !== field.defaultValue;
}

// Put a list right child by child, each known by its id: what nobody has changed stays as it is, with what was typed.
function swapEach(old, fresh, swapOne) {
  if (!old) return false;
  let different = false;
  let place = old.firstElementChild;
  const kept = new Set();
  for (const row of [...fresh.children]) {
    kept.add(row.id);
    const mine = document.getElementById(row.id);
    if (!mine) {
      old.insertBefore(row, place);
      different = true;
      continue;
    }
    if (mine !== place) old.insertBefore(mine, place);
    else place = place.nextElementSibling;
    if (swapOne(mine, row)) different = true;
  }
  for (const row of [...old.children]) {
    if (kept.has(row.id)) continue;
    row.remove();
    different = true;
  }
  return different;
}

function swapRow(mine, row) {
  if (same(mine, row)) return false;
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
  return true;
}
