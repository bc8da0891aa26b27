// What a list of students changes, group by group.

import { fill, h } from "../../dom.js";
import { button } from "../../parts/button.js";
import { icon } from "../../parts/icon.js";
import { table } from "../../parts/table.js";
import { dayOf, number, t } from "../../text.js";

/** So many rows of a group are shown at once. */
const ROWS = 50;
/** Groups with more are closed at first. */
const FEW = 12;

const title = (name) => t(`admin.roster.columns.${name}`);
const text = (name, value = (row) => row[name]) => ({
  title: title(name),
  cell: (row) => value(row) || t("admin.roster.noValue"),
});
const name = { title: title("name"), head: true, cell: (row) => row.name };
const prn = { title: title("prn"), cell: (row) => h("code", {}, row.prn) };
const consent = (key) => (row) => t(`admin.roster.consent.${row[key]}`);
const change = (of = (value) => value) => [
  { title: title("before"), cell: (row) => of(row.from) },
  { title: title("after"), cell: (row) => h("strong", {}, of(row.to)) },
];

function days({ from, to }) {
  const said = { from: from && dayOf(from, "date"), to: to && dayOf(to, "date") };
  if (from && to) return t("admin.roster.days.both", said);
  return t(`admin.roster.days.${from ? "from" : to ? "to" : "open"}`, said);
}

const membership = [
  name,
  text("class"),
  text("roll", (row) => row.roll_no),
  { ...prn, wide: true },
  { title: title("days"), wide: true, cell: days },
];

/** The groups in the order in which they are shown, with the columns of each. */
const GROUPS = {
  classes_added: [{ title: title("class"), head: true, cell: (row) => row }],
  students_added: [name, prn, { title: title("consent"), cell: consent("consent") }, { ...text("email"), wide: true }],
  members_added: membership,
  students_changed: [
    { ...prn, head: true },
    { title: title("what"), cell: (row) => t(`admin.roster.field.${row.field}`) },
    ...change(),
  ],
  consent_changed: [name, { ...prn, wide: true }, ...change((value) => t(`admin.roster.consent.${value}`))],
  roll_no_changed: [name, text("class"), ...change()],
  days_changed: [
    name,
    text("class"),
    { title: title("before"), cell: (row) => days(row.before) },
    { title: title("after"), cell: (row) => h("strong", {}, days(row.after)) },
  ],
  members_not_in_file: membership,
};
/** What is only pointed out. */
const NOT_A_CHANGE = "members_not_in_file";

/** How many things change. */
export const changesOf = ({ terms }) =>
  terms
    .flatMap((term) =>
      Object.keys(GROUPS)
        .filter((group) => group !== NOT_A_CHANGE)
        .map((group) => term[group].length),
    )
    .reduce((sum, count) => sum + count, 0);

export const differences = ({ terms }) => terms.map((term) => termPart(term, terms.length > 1));

function termPart(term, named) {
  const groups = Object.entries(GROUPS).filter(([group]) => term[group].length > 0);
  return h(
    "div",
    { class: "stack" },
    named && h("h4", {}, t("admin.roster.termTitle", { term: term.term })),
    groups.map(([group, columns]) => groupPart(group, columns, term[group])),
    term.unchanged > 0 && h("p", { class: "quiet" }, t("admin.roster.unchanged", { count: term.unchanged })),
  );
}

function groupPart(group, columns, rows) {
  const label = t(`admin.roster.group.${group}`);
  const place = h("div", { class: "stack" });
  let shown = Math.min(ROWS, rows.length);
  const show = () => {
    const left = rows.length - shown;
    fill(
      place,
      group === NOT_A_CHANGE &&
        h("p", { class: "notice notice-warn" }, icon("question"), t("admin.roster.notInFileText")),
      table({ caption: label, columns, rows: rows.slice(0, shown) }),
      left > 0 &&
        button(t("admin.more", { count: Math.min(left, ROWS) }), () => ((shown += Math.min(left, ROWS)), show())),
    );
  };
  show();
  return h(
    "details",
    { class: "card difference", open: rows.length <= FEW },
    h(
      "summary",
      {},
      h("span", { class: "grow" }, label),
      h("span", { class: `tag ${group === NOT_A_CHANGE ? "tag-warn" : ""}` }, number(rows.length)),
    ),
    place,
  );
}
