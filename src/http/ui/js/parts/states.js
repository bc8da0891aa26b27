// What is shown where there is nothing to show yet, nothing at all, or something went wrong.

import { Problem, Unreachable } from "../api.js";
import { h } from "../dom.js";
import { has, t } from "../text.js";
import { icon } from "./icon.js";

export const loading = (text = t("state.loading")) =>
  h("div", { class: "state", role: "status" }, h("div", { class: "spinner" }), h("p", {}, text));

/** Grey bars of the size of what comes, so that nothing jumps. */
export const skeleton = (rows = 5) =>
  h("div", { class: "skeleton", role: "status", "aria-label": t("state.loading") }, Array.from({ length: rows }, () => h("div")));

/** @param {Node} [action] what to do about it */
export const empty = (title, text, action) =>
  h("div", { class: "state" }, icon("empty"), h("h2", {}, title), text && h("p", {}, text), action);

/** An error with a way on. `retry` is called by its button. */
export function failure(error, retry) {
  return h(
    "div",
    { class: "state state-failure", role: "alert" },
    icon("alert"),
    h("h2", {}, t(error instanceof Unreachable ? "state.unreachable" : "state.failed")),
    h("p", {}, why(error)),
    error.requestId && h("p", { class: "quiet" }, t("state.requestId", { id: error.requestId })),
    retry && h("button", { class: "button", type: "button", on: { click: retry } }, t("action.retry")),
  );
}

/** Why something failed, in words for the reader: the service's own where the page has none of its own. */
export function why(error) {
  if (error instanceof Unreachable) return t("state.unreachableText");
  if (error instanceof Problem) {
    const parts = [has(`problem.${error.code}`) ? t(`problem.${error.code}`) : sentence(error.message)];
    return [...parts, ...error.errors.map((item) => `${item.item}: ${item.detail}`)].join(" ");
  }
  return error.message;
}

/** The service writes its messages without a capital and a full stop. */
export const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");
