// What would make a student easier to recognise.

import { h } from "../../dom.js";
import { icon } from "../../parts/icon.js";
import { has, t } from "../../text.js";

const URGENT = ["NO_CONSENT", "SAMPLES_DISAGREE", "NO_SAMPLE", "KEPT_MISSING"];

export const suggestionList = (suggestions) =>
  h(
    "ul",
    { class: "suggestions" },
    suggestions.map(({ code, text }) =>
      h(
        "li",
        { class: URGENT.includes(code) ? "suggestion-urgent" : null },
        icon("alert"),
        h("span", {}, textOf(code, text)),
      ),
    ),
  );

/** The page's own words, and what the service adds, such as who looks alike. */
function textOf(code, text) {
  const said = text.charAt(0).toUpperCase() + text.slice(1);
  return has(`suggestion.${code}`) ? t(`suggestion.${code}`, { text: said }) : said;
}
