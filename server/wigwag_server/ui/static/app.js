// What every page does; the parts look for what they belong to, and do nothing where it is not there.

import { startEditor } from "./editor.js";
import { startKills } from "./kill.js";
import { startList } from "./list.js";
import { startLive } from "./live.js";
import { startProof } from "./proof.js";
import { startSlide, startTry } from "./flag.js";
import { startTimes } from "./times.js";

document.documentElement.classList.remove("no-js");
for (const element of document.querySelectorAll("[data-needs-js]")) element.hidden = false;
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details[name=menus][open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
  if (event.target.closest("[data-close]")) event.target.closest("dialog")?.close();
});
document.addEventListener("keydown", (event) => {
  const menu = event.key === "Escape" && document.querySelector("details[name=menus][open]");
  if (menu) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});
document.querySelector(".nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
document.querySelector("[data-select]")?.select();
// What takes seconds says so, and is not sent twice.
document.addEventListener("submit", ({ target, submitter }) => {
  if (!target.dataset.busy || !submitter) return;
  submitter.textContent = target.dataset.busy;
  setTimeout(() => { submitter.disabled = true; });
});

startTimes();
startKills();
startList();
startProof();
startSlide();
startTry();
startEditor();
startLive();
