// Short messages at the edge of the page, read out by screen readers, with an action such as Undo.

import { h } from "../dom.js";
import { t } from "../text.js";

const SHOWN_MS = 6000;
const SHOWN_WITH_ACTION_MS = 12_000;
/** What is read out is there so long. */
const SPOKEN_MS = 5000;
const MOST = 3;

const list = h("div", { class: "toasts" });

/**
 * What reads messages out. It has to be there before the first of them, and inside an open dialog: all around that is silent.
 */
export const voice = () => h("div", { class: "visually-hidden voice", role: "status" });

document.body.append(list, voice());

/** An open dialog covers everything that is not inside it. */
const top = () => [...document.querySelectorAll("dialog[open]")].at(-1) ?? document.body;

/**
 * @param {string} text
 * @param {{kind?: "failure", action?: string, press?: () => void}} [options] a failure stays until it is closed
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
  const place = top();
  if (list.parentNode !== place) place.append(list);
  // The same failure again is no other one.
  const same = (other) => other.matches(".toast-failure") && other.firstChild.textContent === text;
  if (kind === "failure") [...list.children].filter(same).forEach((other) => other.remove());
  list.append(toast);
  while (list.children.length > MOST) (list.querySelector(".toast:not(.toast-failure, :last-child)") ?? list.firstChild).remove();
  if (kind !== "failure") setTimeout(gone, action ? SHOWN_WITH_ACTION_MS : SHOWN_MS);
  speak(place, action ? `${text} ${action}` : text);
}

function speak(place, text) {
  const spoken = h("p", {}, text);
  place.querySelector(":scope > .voice").append(spoken);
  setTimeout(() => spoken.remove(), SPOKEN_MS);
}

/** Messages of one person are not for the next. */
export const hush = () => list.replaceChildren();

/** The messages outlive the dialog that they were shown in. */
export const bringBack = () => top().append(list);
