// Buttons and links that look like them.

import { SignedOut } from "../api.js";
import { h } from "../dom.js";
import { why } from "./states.js";
import { icon } from "./icon.js";
import { say } from "./toast.js";
import { t } from "../text.js";

/**
 * A button that runs `press`, shows that it works while a promise is open, and says it when it fails.
 *
 * @param {string} text
 * @param {() => (void|Promise)} press
 * @param {{kind?: "primary"|"danger"|"plain", large?: boolean, icon?: string, label?: string, disabled?: boolean, type?: string}}
 *   [look]
 */
export function button(text, press, look = {}) {
  const element = h(
    "button",
    {
      class: classOf(look, text),
      type: look.type ?? "button",
      "aria-label": look.label,
      title: text ? null : look.label,
      disabled: look.disabled,
      on: press && { click: () => working(element, press) },
    },
    look.icon && icon(look.icon),
    text && h("span", {}, text),
  );
  return element;
}

/** A button is pressed once until its work is done. */
export async function working(element, work) {
  if (element.getAttribute("aria-busy") === "true") return;
  element.setAttribute("aria-busy", "true");
  try {
    await work();
  } catch (error) {
    // The page shows signing in (main.js).
    if (error instanceof SignedOut) throw error;
    if (error.name !== "AbortError") say(why(error), { kind: "failure" });
  } finally {
    element.removeAttribute("aria-busy");
  }
}

export const linkButton = (text, href, look = {}) =>
  h("a", { class: classOf(look, text), href, "aria-label": look.label }, look.icon && icon(look.icon), text && h("span", {}, text));

const classOf = ({ kind, large }, text) =>
  ["button", kind && `button-${kind}`, large && "button-large", !text && "button-icon"].filter(Boolean).join(" ");

/** The way back, above a screen's name. */
export const backLink = (text, href) => h("a", { class: "back", href }, icon("back"), h("span", {}, text));

/** A button that saves a file which only somebody who is signed in may fetch. */
export function downloadButton(text, fetchFile, look = {}) {
  return button(
    text,
    async () => saveFile(await fetchFile()),
    { icon: "download", ...look },
  );
}

/** Saves a file that the service has given, and says so. @param {{blob: Blob, name: string|null}} file */
export function saveFile({ blob, name }) {
  save(blob, name ?? "rollcall");
  say(t("state.saved", { name: name ?? "" }));
}

export function save(blob, name) {
  const address = URL.createObjectURL(blob);
  const link = h("a", { href: address, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  // The browser has taken it by then.
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
