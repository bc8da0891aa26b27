// What became of the portraits of an archive.

import { Problem } from "../../api.js";
import { fill, h } from "../../dom.js";
import { button } from "../../parts/button.js";
import { why } from "../../parts/states.js";
import { number, t } from "../../text.js";

const STATES = ["enrolled", "known", "questioned", "refused", "failed"];
const FINE = ["enrolled", "known"];
const TONE = { questioned: "tag-warn", refused: "tag-bad", failed: "tag-bad" };
const ROWS = 50;

/** Pictures that were not taken, and folders that are nobody's. */
export const problemsOf = (result) => result.photos.filter((photo) => !FINE.includes(photo.status));

export function portraitResult(result) {
  const count = (state) => result.photos.filter((photo) => photo.status === state).length;
  const figures = [
    [result.students, t("admin.roster.figures.students")],
    [result.students_enrolled, t("admin.roster.figures.enrolled")],
    ...STATES.filter((state) => count(state) > 0).map((state) => [count(state), t(`admin.roster.photo.${state}`)]),
  ];
  const problems = problemsOf(result);
  return [
    h(
      "ul",
      { class: "figures" },
      figures.map(([value, text]) =>
        h(
          "li",
          { class: "card" },
          h("p", { class: "figure-value" }, number(value)),
          h("p", { class: "small quiet" }, text),
        ),
      ),
    ),
    problems.length === 0 ? h("p", { class: "quiet" }, t("admin.roster.zipNoProblems")) : problemTable(problems),
    result.warnings.length > 0 && [
      h("h3", {}, t("admin.roster.zipWarnings")),
      h(
        "ul",
        { class: "notices" },
        result.warnings.map((text) => h("li", { class: "notice notice-warn" }, text)),
      ),
    ],
  ];
}

function problemTable(problems) {
  const place = h("div", { class: "stack" });
  let shown = Math.min(ROWS, problems.length);
  const show = () => {
    const left = problems.length - shown;
    fill(
      place,
      h("h3", {}, t("admin.roster.zipProblems")),
      h("ul", { class: "list" }, problems.slice(0, shown).map(problemRow)),
      left > 0 &&
        button(t("admin.more", { count: Math.min(left, ROWS) }), () => ((shown += Math.min(left, ROWS)), show())),
    );
  };
  show();
  return place;
}

const problemRow = (photo) =>
  h(
    "li",
    { class: "list-item" },
    h(
      "span",
      { class: "grow breaks" },
      h("strong", {}, photo.name),
      h("span", { class: "small below" }, reason(photo)),
    ),
    h("span", { class: `tag ${TONE[photo.status]}` }, t(`admin.roster.photo.${photo.status}`)),
  );

function reason({ error, warnings }) {
  const text = error && why(new Problem(422, { code: error.code, detail: error.detail }));
  return [text, ...warnings].filter(Boolean).join(" ");
}
