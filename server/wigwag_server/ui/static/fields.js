// The parts of the editor: each makes elements of a piece of the draft, and tells of changes by writing into it.
// `pointer` is where the piece stands in the draft, as the API names it when something is wrong there.

import { h } from "./api.js";

// What somebody types as a value: JSON where it is JSON, else text.
export function parse(text, operator = "") {
  const trimmed = text.trim();
  if (operator === "in" || operator === "notIn") {
    if (trimmed.startsWith("[")) return json(trimmed, trimmed);
    return trimmed === "" ? [] : trimmed.split(",").map((each) => json(each.trim(), each.trim()));
  }
  if (operator === "inSegment" || operator === "notInSegment") {
    const keys = trimmed.split(",").map((each) => each.trim()).filter(Boolean);
    return keys.length > 1 ? keys : keys[0] ?? "";
  }
  if (["startsWith", "endsWith", "before", "after"].includes(operator) || operator.startsWith("semver")) return text;
  return json(trimmed, text);
}

function json(text, otherwise) {
  try {
    return JSON.parse(text);
  } catch {
    return otherwise;
  }
}

export function shown(value, operator = "") {
  if (value === undefined || value === null) return "";
  if (Array.isArray(value) && value.every((each) => typeof each !== "object" && !String(each).includes(","))) {
    return value.map((each) => shown(each)).join(", ");
  }
  if (typeof value !== "string") return JSON.stringify(value);
  return parse(value, operator) === value ? value : JSON.stringify(value);
}

const remove = (label, onclick) => h("button", { type: "button", className: "x", "aria-label": label, onclick }, "✕");
const add = (label, onclick) => h("button", { type: "button", className: "quiet", onclick }, `+ ${label}`);

export function text(label, value, pointer, write, more = {}) {
  return labelled(label, h("input", { value: value ?? "", "data-pointer": pointer, oninput: (event) => write(event.target.value), ...more }));
}

export function labelled(label, field, hint) {
  field.id ||= `e${field.dataset.pointer.replaceAll("/", "-")}`;
  return h("div", {}, h("label", { htmlFor: field.id }, label), field, hint ? h("p", { className: "hint" }, hint) : null);
}

export function rules(list, pointer, operators, edit) {
  const box = h("div", {});
  const draw = () => box.replaceChildren(
    ...list.map((rule, index) => h("div", { className: "rule-row" },
      h("input", { value: rule.attribute ?? "", "aria-label": "Attribute", placeholder: "plan", "data-pointer": `${pointer}/${index}/attribute`, oninput: (e) => { rule.attribute = e.target.value; edit(); } }),
      h("select", { "aria-label": "Operator", "data-pointer": `${pointer}/${index}/operator`, onchange: (e) => { rule.operator = e.target.value; if (rule.operator === "exists") rule.value = true; else rule.value = parse(shown(rule.value), rule.operator); draw(); edit(); } },
        operators.map((each) => h("option", { value: each, selected: each === rule.operator }, each))),
      h("input", { value: shown(rule.value, rule.operator), "aria-label": "Value", placeholder: rule.operator?.toLowerCase().includes("in") ? "one, two" : "premium", "data-pointer": `${pointer}/${index}/value`, oninput: (e) => { rule.value = parse(e.target.value, rule.operator); edit(); } }),
      remove(`Remove condition ${index + 1}`, () => { list.splice(index, 1); draw(); edit(); }))),
    add("condition", () => { list.push({ attribute: "", operator: "equals", value: "" }); draw(); edit(); box.querySelector(".rule-row:last-of-type input")?.focus(); }));
  draw();
  return box;
}

export function variants(list, pointer, edit) {
  const box = h("div", {});
  const draw = () => box.replaceChildren(
    ...list.map((variant, index) => h("div", { className: "arm-row" },
      h("input", { value: variant.name ?? "", "aria-label": "Variant", placeholder: "blue", "data-pointer": `${pointer}/${index}/name`, oninput: (e) => { variant.name = e.target.value; edit(); } }),
      h("input", { type: "number", min: 0, step: "any", value: variant.weight ?? 1, "aria-label": "Weight", "data-pointer": `${pointer}/${index}/weight`, oninput: (e) => { variant.weight = Number(e.target.value); edit(); } }),
      h("input", { value: shown(variant.value), "aria-label": "Value, text or JSON", placeholder: "value", "data-pointer": `${pointer}/${index}/value`, oninput: (e) => { variant.value = e.target.value === "" ? null : parse(e.target.value); edit(); } }),
      remove(`Remove variant ${variant.name || index + 1}`, () => { list.splice(index, 1); draw(); edit(); }))),
    add("variant", () => { list.push({ name: "", weight: 1, value: null }); draw(); edit(); box.querySelector(".arm-row:last-of-type input")?.focus(); }));
  draw();
  return box;
}

export function overrides(list, operators, edit) {
  const box = h("div", {});
  const draw = () => box.replaceChildren(
    ...list.map((arm, index) => {
      const at = `/overrides/${index}`;
      arm.rules ??= [];
      arm.variants ??= [];
      return h("fieldset", { className: "edit" }, h("legend", { className: "sr" }, `Override ${arm.name}`),
        h("div", { className: "arm-row" },
          h("input", { value: arm.name ?? "", "aria-label": "Name of the override", placeholder: "beta testers", "data-pointer": `${at}/name`, oninput: (e) => { arm.name = e.target.value; edit(); } }),
          h("input", { type: "number", min: 0, max: 100, step: 0.001, value: arm.rolloutPercentage ?? 100, "aria-label": "Percent", "data-pointer": `${at}/rolloutPercentage`, oninput: (e) => { arm.rolloutPercentage = Number(e.target.value); edit(); } }),
          h("span", { className: "row" }, "%",
            index ? h("button", { type: "button", className: "quiet", "aria-label": "Try this override earlier", onclick: () => { list.splice(index - 1, 0, ...list.splice(index, 1)); draw(); edit(); } }, "↑") : null),
          remove(`Remove override ${arm.name}`, () => { list.splice(index, 1); draw(); edit(); })),
        h("h3", {}, "Where all of these match"), h("div", { "data-pointer": `${at}/rules` }), rules(arm.rules, `${at}/rules`, operators, edit),
        h("h3", {}, "Variants"), h("div", { "data-pointer": `${at}/variants` }), variants(arm.variants, `${at}/variants`, edit));
    }),
    add("override", () => { list.push({ name: "", rules: [{ attribute: "", operator: "equals", value: "" }], rolloutPercentage: 100, variants: [] }); draw(); edit(); }));
  draw();
  return box;
}

export function requirements(list, edit) {
  const box = h("div", {});
  const draw = () => box.replaceChildren(
    ...list.map((need, index) => h("div", { className: "need-row" },
      h("input", { value: need.flag ?? "", "aria-label": "Flag that must be on", placeholder: "new_api", "data-pointer": `/requires/${index}/flag`, oninput: (e) => { need.flag = e.target.value; edit(); } }),
      h("input", { value: need.variant ?? "", "aria-label": "Variant, or any", placeholder: "any variant", "data-pointer": `/requires/${index}/variant`, oninput: (e) => { need.variant = e.target.value || null; edit(); } }),
      remove(`Remove prerequisite ${need.flag}`, () => { list.splice(index, 1); draw(); edit(); }))),
    add("prerequisite", () => { list.push({ flag: "", variant: null }); draw(); edit(); box.querySelector(".need-row:last-of-type input")?.focus(); }));
  draw();
  return box;
}

export function lines(label, list, pointer, write, hint) {
  const field = h("textarea", { value: (list ?? []).join("\n"), rows: Math.min(8, Math.max(2, (list ?? []).length)), spellcheck: false, "data-pointer": pointer, oninput: (e) => write(e.target.value.split("\n").map((each) => each.trim()).filter(Boolean)) });
  return labelled(label, field, hint);
}

export function choice(label, value, options, pointer, write) {
  return labelled(label, h("select", { "data-pointer": pointer, onchange: (e) => write(e.target.value) }, options.map((each) => h("option", { value: each, selected: each === value }, each))));
}

export function tick(label, value, pointer, write) {
  return h("label", { className: "inline" }, h("input", { type: "checkbox", checked: value, "data-pointer": pointer, onchange: (e) => write(e.target.checked) }), label);
}
