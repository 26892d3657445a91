// A flag's page beside the editor: the slider, and trying a context.

import { ask, h } from "./api.js";

export function startSlide() {
  document.addEventListener("input", (event) => {
    const form = event.target.closest("[data-slide]");
    if (!form) return;
    const [range, number] = [form.querySelector("[type=range]"), form.querySelector("[type=number]")];
    if (event.target === range) number.value = range.value;
    else if (number.value !== "") range.value = number.value;
    const seen = Number(form.dataset.seen);
    const share = Number(number.value);
    const hint = form.parentElement.querySelector("[data-estimate]");
    if (seen && Number.isFinite(share)) hint.textContent = `Of ${short(seen)} evaluations seen lately, about ${short(seen * share / 100)} would be on at ${share} %.`;
  });
}

function short(number) {
  return new Intl.NumberFormat("en", { notation: number >= 10000 ? "compact" : "standard", maximumSignificantDigits: 3 }).format(Math.round(number));
}

export function startTry() {
  const form = document.querySelector("[data-try]");
  if (!form) return;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const out = document.querySelector("[data-tried]");
    let context;
    try {
      context = JSON.parse(form.context.value || "{}");
    } catch (error) {
      out.replaceChildren(h("p", { className: "wrong", role: "alert" }, `The context is no JSON: ${error.message}`));
      return;
    }
    const draft = form.querySelector("[data-with-draft]")?.checked ? document.querySelector("[data-editor]")?.draft?.() : undefined;
    out.replaceChildren(h("p", { className: "soft" }, "Deciding…"));
    const answer = await ask("POST", `/admin/flags/${encodeURIComponent(form.dataset.try)}/explain`, { body: draft ? { context, draft } : { context } });
    out.replaceChildren(...(answer.ok ? decision(answer.body, Boolean(draft)) : refusal(answer.body)));
  });
}

function decision(plain, drafted) {
  const variant = plain.variant ? [`, variant ${plain.variant.name} `, h("code", {}, JSON.stringify(plain.variant.value ?? null))] : [];
  return [
    h("p", { className: "verdict" }, plain.enabled ? "On" : "Off", ...variant, h("span", { className: "soft small" }, ` ${plain.reason}${drafted ? ", with your draft" : ""}`)),
    h("ol", { className: "steps" }, (plain.steps ?? []).map((step) => h("li", {}, step))),
  ];
}

function refusal(problem) {
  const errors = (problem?.errors ?? []).map((each) => h("p", { className: "wrong" }, h("code", {}, each.pointer ?? ""), ` ${each.detail}`));
  return [h("p", { className: "wrong", role: "alert" }, problem?.detail ?? "There was no answer."), ...errors];
}
