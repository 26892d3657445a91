// The bar that fills as instances confirm a kill, and by name who has not.

import { address, h } from "./api.js";

const HEADINGS = { pending: "Connected, not confirmed yet", lost: "Lost the connection", unknown: "Unknown, their server died" };

export function startProof() {
  const section = document.querySelector("[data-proof]");
  if (!section || section.classList.contains("complete")) return;
  const source = new EventSource(address(section.dataset.proof));
  source.addEventListener("propagation", (event) => {
    const proof = JSON.parse(event.data);
    show(section, proof);
    if (proof.complete) source.close();
  });
  window.addEventListener("pagehide", () => source.close());
}

function show(section, proof) {
  const set = (name, text) => {
    const element = section.querySelector(`[data-${name}]`);
    if (element && element.textContent !== String(text)) element.textContent = text;
  };
  set("confirmed", proof.counts.confirmed);
  set("instances", proof.instances);
  const bar = section.querySelector("progress");
  if (bar) {
    bar.max = proof.instances || 1;
    bar.value = proof.counts.confirmed;
  }
  if (proof.ms.max !== null) set("times", `Slowest after ${proof.ms.max} ms, half of them within ${proof.ms.p50} ms.`);
  section.classList.toggle("complete", proof.complete);
  section.querySelector("[data-people]").replaceChildren(
    ...Object.entries(HEADINGS).filter(([standing]) => proof[standing].length).map(([standing, title]) => people(title, proof[standing])),
  );
}

function people(title, list) {
  const named = list.slice(0, 100).map((each) =>
    h("li", { className: "break" }, h("b", {}, each.name), h("span", { className: "soft" }, ` ${each.host}${each.revision === null ? "" : `, at revision ${each.revision}`}`)));
  return h("div", {}, h("h3", {}, `${title}: ${list.length}`), h("ul", { className: "laggards small" }, named));
}
