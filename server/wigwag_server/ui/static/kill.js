// Asking for a reason, and killing. The form is sent as any other: it needs nothing of this but to be shown.

import { h } from "./api.js";

let dialog = null;

export function startKills() {
  dialog = document.getElementById("kill-dialog");
  if (!dialog) return;
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-kill]");
    if (button && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      askKill([button.dataset.kill]);
    }
    const reason = event.target.closest("[data-reason]");
    if (reason) {
      const field = dialog.querySelector("[name=reason]");
      field.value = reason.dataset.reason;
      field.focus();
    }
  });
  dialog.querySelector("form").addEventListener("submit", () => {
    const button = dialog.querySelector("[data-kill-go]");
    button.textContent = "Killing…";
    setTimeout(() => { button.disabled = true; });
  });
  window.addEventListener("pageshow", () => {
    const button = dialog.querySelector("[data-kill-go]");
    button.disabled = false;
    button.textContent = "Kill now";
  });
}

export function askKill(keys) {
  if (!dialog || !keys.length) return;
  const names = dialog.querySelector("[data-kill-names]");
  names.replaceChildren(keys.length === 1 ? h("code", { className: "break" }, keys[0]) : `${keys.length} flags`);
  dialog.querySelector("[data-kill-keys]").replaceChildren(
    keys.length > 1 ? h("p", { className: "small break" }, keys.slice(0, 20).join(", ") + (keys.length > 20 ? ` and ${keys.length - 20} more` : "")) : "",
    ...keys.map((key) => h("input", { type: "hidden", name: "key", value: key })),
  );
  dialog.showModal();
  dialog.querySelector("[name=reason]").focus();
}
