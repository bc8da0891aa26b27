// Short messages at the edge of the page, read out by screen readers, with an action such as Undo.

import { h } from "../dom.js";
import { t } from "../text.js";

const SHOWN_MS = 6000;
const SHOWN_WITH_ACTION_MS = 12_000;

const list = h("div", { class: "toasts", role: "status", "aria-live": "polite" });
document.body.append(list);

/**
 * @param {string} text
 * @param {{kind?: "failure", action?: string, press?: () => void}} [options]
 */
export function say(text, { kind, action, press } = {}) {
  const gone = () => toast.remove();
  const toast = h(
    "div",
    { class: `toast ${kind === "failure" ? "toast-failure" : ""}` },
    h("p", {}, text),
    action && h("button", { type: "button", class: "toast-action", on: { click: () => (gone(), press()) } }, action),
    h("button", { type: "button", class: "toast-close", "aria-label": t("action.close"), on: { click: gone } }, "×"),
  );
  // An open dialog covers everything that is not inside it.
  (document.querySelector("dialog[open]") ?? document.body).append(list);
  list.append(toast);
  while (list.children.length > 3) list.firstChild.remove();
  setTimeout(gone, action ? SHOWN_WITH_ACTION_MS : SHOWN_MS);
}

/** The messages outlive the dialog that they were shown in. */
export const bringBack = () => document.body.append(list);
