// Classes to tick, with a search above them: a school has more than a screen shows.

import { fill, freshId, h } from "../../dom.js";
import { input } from "../../parts/form.js";
import * as school from "../../school.js";
import { t } from "../../text.js";

/**
 * @param {Array<{id, name, section, term}>} classes
 * @param {number[]} chosen ids
 * @returns {{element: Element, ids: () => number[]}}
 */
export function classChoice(classes, chosen) {
  const ids = new Set(chosen);
  const count = h("p", { class: "small quiet", role: "status" });
  const none = h("p", { class: "quiet choice-none" }, t("admin.users.noSuchClass"));
  const showCount = () => fill(count, t("admin.users.chosen", { count: ids.size }));
  const terms = [...new Set(classes.map((item) => item.term))].sort().reverse();
  // Those that are chosen stand first, so that they are seen.
  const first = (a, b) =>
    Number(ids.has(b.id)) - Number(ids.has(a.id)) || school.className(a).localeCompare(school.className(b));
  const line = (item) => {
    const id = freshId("class");
    const change = ({ target }) => {
      if (target.checked) ids.add(item.id);
      else ids.delete(item.id);
      showCount();
    };
    const box = h("input", { type: "checkbox", id, checked: ids.has(item.id), on: { change } });
    return h(
      "div",
      { class: "field-check choice-line", data: { words: school.className(item).toLowerCase() } },
      box,
      h("label", { for: id }, school.className(item)),
    );
  };
  const group = (term) => {
    const lines = classes
      .filter((item) => item.term === term)
      .sort(first)
      .map(line);
    return h(
      "div",
      { class: "choice-term", role: "group", "aria-label": term },
      h("p", { class: "small quiet" }, term),
      lines,
    );
  };
  const groups = terms.map(group);
  const search = input("", {
    type: "search",
    "aria-label": t("admin.users.findClass"),
    placeholder: t("admin.users.findClass"),
  });
  search.addEventListener("input", () => {
    const words = search.value.trim().toLowerCase();
    for (const part of groups) {
      const lines = [...part.querySelectorAll(".choice-line")];
      for (const item of lines) item.hidden = !item.dataset.words.includes(words);
      part.hidden = lines.every((item) => item.hidden);
    }
    none.hidden = groups.some((part) => !part.hidden);
  });
  // Enter in the search must not send the form around it.
  search.addEventListener("keydown", (event) => event.key === "Enter" && event.preventDefault());
  showCount();
  if (classes.length === 0) fill(none, t("admin.settings.noClasses"));
  search.hidden = classes.length === 0;
  none.hidden = classes.length > 0;
  const element = h(
    "fieldset",
    { class: "field choice" },
    h("legend", {}, t("admin.users.classes")),
    search,
    h(
      "div",
      { class: "choice-list", tabindex: "0", role: "group", "aria-label": t("admin.users.classes") },
      groups,
      none,
    ),
    count,
    h("p", { class: "hint" }, t("admin.users.classesHint")),
  );
  return { element, ids: () => [...ids] };
}
