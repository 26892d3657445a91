// The editor of a flag or a segment: fields for a draft, checked by the server as somebody types, and saved on the
// revision that was seen. Where somebody else was faster, both versions are shown, and the draft goes on top.

import { ask, h, later } from "./api.js";
import { choice, labelled, lines, overrides, requirements, rules, text, tick, variants } from "./fields.js";
import { onChange } from "./live.js";
import { changed, onTop } from "./merge.js";

const DEFAULTS = {
  flags: { enabled: false, whitelist: [], blacklist: [], rules: [], rolloutPercentage: 100, variants: [], overrides: [], bucketBy: "userId", requires: [], failSafeAfter: null, clientVisible: false, kind: "release", expectedLifeDays: null, description: "", owner: "", tags: [] },
  segments: { include: [], exclude: [], rules: [], description: "" },
};

export function startEditor() {
  const form = document.querySelector("form[data-editor]");
  if (form) new Editor(form);
}

class Editor {
  constructor(form) {
    this.form = form;
    this.kind = form.dataset.kind;
    this.path = `/admin/${this.kind}/${encodeURIComponent(form.dataset.key)}`;
    this.operators = form.dataset.operators.split(" ");
    this.kinds = form.dataset.kinds.split(" ");
    this.area = form.querySelector("textarea[name=config]");
    this.json = form.querySelector("[data-json]");
    this.revision = form.querySelector("[name=revision]").value;
    this.base = this.whole(JSON.parse(this.area.defaultValue || "{}"));
    this.draft = structuredClone(this.base);
    this.fields = h("div", { className: "stack" });
    this.bar = h("div", { className: "save-bar", hidden: true });
    this.notes = h("div", { "aria-live": "polite" });
    this.why = form.querySelector("[name=comment]");
    this.check = later(() => this.checkNow(), 250);
    form.draft = () => (this.dirty() ? this.draft : undefined);
    const page = document.querySelector("[data-summary]");
    const open = h("button", { type: "button", onclick: () => this.open() }, "Edit");
    this.opener = open;
    if (this.json.open) return; // what was refused stands in the text, and is mended there
    page.after(h("p", { className: "row" }, open));
    form.prepend(this.fields, this.notes);
    form.append(this.bar);
    form.addEventListener("submit", (event) => { event.preventDefault(); this.save(); });
    this.area.addEventListener("input", () => this.fromText());
    window.addEventListener("beforeunload", (event) => { if (this.dirty() && !this.leaving) event.preventDefault(); });
    document.addEventListener("wigwag:fresh", (event) => this.fresh(event.detail));
    onChange((change) => { if (this.dirty() && this.touches(change)) this.checkNow(); });
  }

  whole(plain) {
    return { ...structuredClone(DEFAULTS[this.kind]), ...plain };
  }

  dirty() {
    return changed(this.base, this.draft).length > 0;
  }

  touches({ keys }) {
    return keys === null || keys.some((each) => `${each.kind}s` === this.kind && each.key === this.form.dataset.key);
  }

  open() {
    this.opener.parentElement.remove();
    document.querySelector("[data-summary]").hidden = true;
    this.draw();
    this.fields.querySelector("input, select, textarea")?.focus();
  }

  draw() {
    this.fields.replaceChildren(...(this.kind === "flags" ? this.flagFields() : this.segmentFields()));
    this.edited();
  }

  // A flag has many fields: what decides stands first, what is only to be known last.
  flagFields() {
    const draft = this.draft;
    const set = (name) => (value) => { draft[name] = value; this.edited(); };
    const edit = () => this.edited();
    return [
      h("div", { className: "row" }, tick("Turned on", draft.enabled, "/enabled", set("enabled")), tick("Browsers may see its result", draft.clientVisible, "/clientVisible", set("clientVisible"))),
      h("div", { className: "fields" },
        labelled("Rollout, percent", h("input", { type: "number", min: 0, max: 100, step: 0.001, value: draft.rolloutPercentage, "data-pointer": "/rolloutPercentage", oninput: (e) => set("rolloutPercentage")(Number(e.target.value)) })),
        text("Bucket by", draft.bucketBy, "/bucketBy", set("bucketBy"), { className: "mono" }),
        labelled("Fail-safe, seconds", h("input", { type: "number", min: 0, step: "any", value: draft.failSafeAfter ?? "", placeholder: "none", "data-pointer": "/failSafeAfter", oninput: (e) => set("failSafeAfter")(e.target.value === "" ? null : Number(e.target.value)) }))),
      section("Only where all of these match", "/rules", rules(draft.rules, "/rules", this.operators, edit)),
      section("Overrides", "/overrides", overrides(draft.overrides, this.operators, edit), "The first whose conditions all match replaces the conditions, percentage and variants of the flag."),
      section("Variants", "/variants", variants(draft.variants, "/variants", edit), "Weights are relative to their sum."),
      section("Prerequisites", "/requires", requirements(draft.requires, edit)),
      h("div", { className: "fields" },
        lines("Always on, one user id a line", draft.whitelist, "/whitelist", set("whitelist")),
        lines("Always off, one user id a line", draft.blacklist, "/blacklist", set("blacklist"))),
      h("div", { className: "fields" },
        choice("Kind", draft.kind, [...new Set([...this.kinds, draft.kind])], "/kind", set("kind")),
        text("Owner", draft.owner, "/owner", set("owner")),
        labelled("Expected life, days", h("input", { type: "number", min: 1, step: 1, value: draft.expectedLifeDays ?? "", placeholder: "the environment's", "data-pointer": "/expectedLifeDays", oninput: (e) => set("expectedLifeDays")(e.target.value === "" ? null : Number(e.target.value)) })),
        text("Tags", draft.tags.join(" "), "/tags", (value) => set("tags")(value.split(/[\s,]+/).filter(Boolean))),
        h("div", { className: "wide" }, text("Description", draft.description, "/description", set("description")))),
    ];
  }

  segmentFields() {
    const draft = this.draft;
    const set = (name) => (value) => { draft[name] = value; this.edited(); };
    return [
      text("Description", draft.description, "/description", set("description")),
      h("div", { className: "fields" },
        lines("In it, one user id a line", draft.include, "/include", set("include")),
        lines("Never in it, one user id a line", draft.exclude, "/exclude", set("exclude"))),
      section("And where all of these match", "/rules", rules(draft.rules, "/rules", this.operators, () => this.edited())),
    ];
  }

  edited() {
    this.area.value = JSON.stringify(this.draft, null, 2);
    this.showBar();
    if (this.dirty()) this.check();
    else this.notes.replaceChildren();
  }

  fromText() {
    try {
      this.draft = this.whole(JSON.parse(this.area.value));
    } catch (error) {
      this.area.setAttribute("aria-invalid", "true");
      this.notes.replaceChildren(h("p", { className: "wrong" }, `No JSON: ${error.message}`));
      return;
    }
    this.area.removeAttribute("aria-invalid");
    if (this.fields.children.length) this.fields.replaceChildren(...(this.kind === "flags" ? this.flagFields() : this.segmentFields()));
    this.showBar();
    this.check();
  }

  showBar() {
    const dirty = this.dirty();
    this.bar.hidden = !dirty;
    if (!dirty || this.bar.children.length) return;
    this.reason = h("input", { className: "grow", placeholder: "Why? (for the history)", "aria-label": "Why, for the history", maxLength: 1000, value: this.why.value, oninput: (e) => { this.why.value = e.target.value; } });
    this.bar.replaceChildren(this.reason,
      h("button", { className: "primary", "data-save": "" }, "Save"),
      h("button", { type: "button", onclick: () => this.drop() }, "Drop the draft"));
  }

  drop() {
    this.draft = structuredClone(this.base);
    this.bar.replaceChildren();
    this.draw();
  }

  async send(dryRun) {
    const body = { ...this.draft };
    if (!dryRun && this.why.value) body.comment = this.why.value;
    return ask("POST", this.path, { query: dryRun ? { dryRun: "true" } : {}, body, headers: { "If-Match": `"${this.revision}"` } });
  }

  async checkNow() {
    const number = (this.checks = (this.checks ?? 0) + 1);
    const answer = await this.send(true);
    if (number !== this.checks) return;
    this.mark(answer.status === 422 ? answer.body.errors ?? [] : []);
    if (answer.ok) {
      this.notes.replaceChildren(...difference(answer.body));
      if (this.kind === "flags") this.preview(number);
    }
    else if (answer.status === 412) this.conflict(answer.body);
    else if (answer.status !== 422) this.notes.replaceChildren(h("p", { className: "wrong" }, answer.body?.detail ?? "The server does not answer."));
  }

  // Say of how many contexts that apps have lately asked about the answer would be another one.
  async preview(number) {
    const answer = await ask("POST", `${this.path}/preview`, { body: { draft: this.draft } });
    if (number === this.checks && answer.ok && this.dirty()) this.notes.append(previewed(answer.body));
  }

  // Show what is wrong where it is wrong; what has no place of its own stands at the end.
  mark(errors) {
    for (const old of this.form.querySelectorAll(".wrong[data-from-check]")) old.remove();
    for (const field of this.form.querySelectorAll("[aria-invalid]")) { field.removeAttribute("aria-invalid"); field.removeAttribute("aria-describedby"); }
    const rest = [];
    for (const [index, { pointer = "", detail }] of errors.entries()) {
      const field = this.fieldAt(pointer);
      const words = h("p", { className: "wrong", id: `wrong-${index}`, "data-from-check": "" }, field ? detail : `${pointer} ${detail}`);
      if (!field) rest.push(words);
      else {
        field.setAttribute("aria-invalid", "true");
        field.setAttribute("aria-describedby", words.id);
        (field.closest(".rule-row, .arm-row, .need-row") ?? field).after(words);
      }
    }
    const save = this.bar.querySelector("[data-save]");
    if (save) save.disabled = errors.length > 0;
    if (errors.length) this.notes.replaceChildren(...rest);
  }

  fieldAt(pointer) {
    for (let at = pointer; at; at = at.slice(0, at.lastIndexOf("/"))) {
      const field = this.fields.querySelector(`[data-pointer="${CSS.escape(at)}"]`);
      if (field) return field;
    }
    return null;
  }

  async save() {
    const answer = await this.send(false);
    if (answer.status === 200 || answer.status === 201) return this.leave(`${location.pathname}?done=saved`);
    if (answer.status === 202) return this.leave(`${document.body.dataset.base}/approvals`);
    if (answer.status === 412) return this.conflict(answer.body);
    this.mark(answer.body?.errors ?? []);
    this.notes.prepend(h("p", { className: "wrong", role: "alert" }, answer.body?.detail ?? "The server does not answer. Nothing is lost; try again."));
  }

  leave(url) {
    this.leaving = true;
    location.assign(url);
  }

  // Somebody else was faster. Nothing is lost: what they have changed is shown, and the draft can go on top of it.
  conflict(problem) {
    const theirs = problem.current ? this.whole(Object.fromEntries(Object.keys(DEFAULTS[this.kind]).map((name) => [name, problem.current[name] ?? DEFAULTS[this.kind][name]]))) : null;
    if (!theirs) {
      this.notes.replaceChildren(h("p", { className: "bad", role: "alert" }, problem.detail));
      return;
    }
    const { merged, both } = onTop(this.base, this.draft, theirs);
    const who = (problem.changes ?? []).map((item) => h("div", {},
      h("p", {}, h("b", {}, item.by), ` changed it (revision ${item.revision})${item.comment ? `: ${item.comment}` : ""}`), diffList(item.changes)));
    this.notes.replaceChildren(h("div", { className: "bad stack", role: "alert", "data-conflict": "" },
      h("h3", {}, "Somebody else has changed this meanwhile"), who,
      both.length ? h("p", {}, "You both changed ", h("b", {}, both.join(", ")), ". With your draft on top, yours counts there.") : h("p", {}, "You changed other fields, so both can stand."),
      h("div", { className: "row" },
        h("button", { type: "button", className: "primary", "data-on-top": "", onclick: () => this.rebase(problem.current.revision, theirs, merged) }, "Put my draft on top"),
        h("button", { type: "button", onclick: () => this.rebase(problem.current.revision, theirs, structuredClone(theirs)) }, "Take theirs, drop mine"))));
  }

  rebase(revision, theirs, draft) {
    this.revision = String(revision);
    this.form.querySelector("[name=revision]").value = this.revision;
    this.base = theirs;
    this.draft = draft;
    this.notes.replaceChildren();
    if (!this.fields.children.length) this.opener.parentElement?.remove();
    document.querySelector("[data-summary]").hidden = true;
    this.draw();
  }

  // The page was fetched again: an editor without a draft follows.
  fresh(page) {
    const area = page.querySelector("form[data-editor] textarea[name=config]");
    const revision = page.querySelector("form[data-editor] [name=revision]")?.value;
    if (!area || this.dirty() || revision === this.revision) return;
    this.revision = revision;
    this.form.querySelector("[name=revision]").value = revision;
    this.base = this.whole(JSON.parse(area.value));
    this.draft = structuredClone(this.base);
    this.area.value = area.value;
    document.querySelector("[data-summary]").replaceChildren(...page.querySelector("[data-summary]").childNodes);
    if (this.fields.children.length) this.draw();
  }
}

function section(title, pointer, content, hint) {
  return h("div", { "data-pointer": pointer }, h("h3", {}, title), hint ? h("p", { className: "hint" }, hint) : null, content);
}

function difference(trial) {
  const fields = trial.changes.flatMap((each) => each.changes);
  return fields.length ? [h("h3", {}, "Your draft against what is there"), diffList(fields)] : [];
}

const MOST_MOVES = 12;

function previewed({ detail, contexts, moves }) {
  const words = ({ enabled, variant }) => (enabled ? "on" : "off") + (variant === null ? "" : `, ${variant}`);
  const rows = moves.slice(0, MOST_MOVES).map((move) => h("tr", {},
    h("td", { className: "right" }, String(move.count)), h("td", { className: "break" }, words(move.from)),
    h("td", { className: "break" }, words(move.to)), h("td", { className: "soft" }, move.value ? "another value" : move.changed ? "" : "as now")));
  const heads = ["Contexts", "Now", "Then", "What changes"].map((name, place) => h("th", { scope: "col", className: place ? "" : "right" }, name));
  return h("div", { className: "stack", "data-preview": "" },
    h("h3", {}, "For contexts seen lately"), h("p", { className: contexts ? "said" : "soft small" }, detail),
    rows.length ? h("table", { className: "table small" }, h("thead", {}, h("tr", {}, heads)), h("tbody", {}, rows)) : null);
}

function diffList(changes) {
  const brief = (value) => JSON.stringify(value ?? null).slice(0, 600);
  return h("dl", { className: "diff" }, changes.flatMap((each) => [
    h("dt", {}, each.field),
    "added" in each
      ? h("dd", {}, each.removed.length ? h("del", {}, each.removed.slice(0, 20).join(", ")) : null, " ", each.added.length ? h("ins", {}, each.added.slice(0, 20).join(", ")) : null)
      : h("dd", {}, h("del", {}, brief(each.before)), " ", h("ins", {}, brief(each.after))),
  ]));
}
