// The five statuses in the words and colours of the school.

import * as api from "../api.js";
import { h } from "../dom.js";
import { segments } from "./form.js";

export const STATUSES = ["present", "late", "absent", "excused", "unmarked"];

let styles = new Map();

/** Asks for the school's words once; called after signing in. */
export async function loadStyles() {
  const { items } = await api.get("/status-styles");
  styles = new Map(items.map((style) => [style.status, style]));
}

export const styleOf = (status) => styles.get(status);
export const labelOf = (status) => styles.get(status).label;

/** The status in its colour: a badge with its letter, and its name beside it unless there is no room. */
export function statusBadge(status, { short = false } = {}) {
  const style = styleOf(status);
  return h(
    "span",
    { class: "status", title: short ? style.label : null },
    h(
      "span",
      {
        class: "status-letter",
        css: { "--status": style.colour, "--status-text": readable(style.colour) },
        "aria-hidden": short ? null : "true",
        "aria-label": short ? style.label : null,
        role: short ? "img" : null,
      },
      style.short,
    ),
    short ? null : h("span", {}, style.label),
  );
}

/** One of the five, to choose. */
export const statusPicker = (legend, name, chosen, onChange, statuses = STATUSES) =>
  segments(legend, name, statuses.map((status) => [status, labelOf(status)]), chosen, onChange);

/** Black or white, whichever is easier to read on a colour. */
export const readable = (colour) => (1.05 / (luminance(colour) + 0.05) >= (luminance(colour) + 0.05) / 0.05 ? "#ffffff" : "#000000");

/** How bright a colour `#rrggbb` is, 0 to 1 (relative luminance of WCAG 2.2). */
export function luminance(colour) {
  const [r, g, b] = [1, 3, 5]
    .map((at) => parseInt(colour.slice(at, at + 2), 16) / 255)
    .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
