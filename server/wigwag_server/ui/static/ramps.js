// What moves a flag by itself: the page follows what is counted, and a form shows only what its choice needs.

import { refresh } from "./live.js";

const LOOK_MS = 3000;

// A step of a ramp is a change, and comes by itself. What is counted between two steps is none, so it is asked for.
setInterval(() => {
  if (!document.hidden && document.querySelector("[data-watch]")) refresh();
}, LOOK_MS);

const form = document.querySelector("[data-schedule]");
if (form) {
  const choose = () => {
    for (const part of form.querySelectorAll("[data-only]")) part.hidden = part.dataset.only !== form.what.value;
  };
  form.what.addEventListener("change", choose);
  choose();
  const zone = form.querySelector("[data-zone]");
  const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (zone.value === zone.defaultValue && own) zone.value = own;
  const known = Intl.supportedValuesOf?.("timeZone") ?? [];
  document.getElementById("zones").replaceChildren(...["UTC", ...known].map((name) => new Option(name, name)));
}
