// A student's percentages: in each class, and in each subject of it.

import * as api from "../../api.js";
import { h } from "../../dom.js";
import { load, placeFor } from "../../parts/load.js";
import { rangeFields, rangeOf } from "../../parts/range.js";
import { empty } from "../../parts/states.js";
import { STATUSES, statusBadge } from "../../parts/status.js";
import { table } from "../../parts/table.js";
import { note, to } from "../../router.js";
import * as school from "../../school.js";
import { number, ofHundred, t } from "../../text.js";

export function attendanceTab({ id, query, signal }) {
  const range = rangeOf(query, "days90");
  const place = placeFor();
  const show = () =>
    load(place, async () => {
      const { classes } = await api.get(`/students/${id}/attendance`, range, signal);
      if (classes.length === 0) return empty(t("studentDays.none"), t("studentDays.noneText"));
      return classes.map(classPart);
    });
  const change = (said) => {
    Object.assign(range, said);
    for (const [name, value] of Object.entries(said)) query.set(name, value);
    note(said);
    show();
  };
  show();
  return [
    h("form", { class: "filters", on: { submit: (event) => event.preventDefault() } }, rangeFields(range, change)),
    place,
  ];
}

function classPart(item) {
  const name = school.className({ name: item.class, section: item.section });
  return h(
    "section",
    {},
    h(
      "h2",
      {},
      h("a", { class: "member-link", href: to(`/classes/${item.class_id}`, { tab: "attendance" }) }, name),
      item.below && h("span", { class: "tag tag-bad" }, t("summary.isLow")),
    ),
    h(
      "dl",
      { class: "figures" },
      [
        ["percent", item.percent],
        ["percentAll", item.percent_all],
        ["reachable", item.percent_reachable],
      ].map(([key, value]) => figure(t(`summary.${key}`), ofHundred(value), t(`summary.${key}Hint`))),
      figure(t("summary.inARow"), number(item.consecutive_absences), t("summary.inARowHint")),
    ),
    h(
      "ul",
      { class: "row status-counts", "aria-label": t("studentDays.counts") },
      STATUSES.map((status) =>
        h("li", { class: "count-of" }, statusBadge(status), h("strong", {}, number(item[status]))),
      ),
    ),
    item.subjects.length > 0 &&
      table({
        caption: t("studentDays.subjects", { class: name }),
        rows: item.subjects,
        columns: [
          { title: t("sessions.subject"), head: true, cell: (row) => row.subject ?? t("take.noSubject") },
          { title: t("summary.taken"), number: true, cell: (row) => number(row.taken) },
          { title: t("summary.percent"), number: true, cell: (row) => ofHundred(row.percent) },
        ],
      }),
  );
}

const figure = (name, value, hint) =>
  h(
    "div",
    { class: "card figure" },
    h("dt", { class: "small quiet" }, name),
    h("dd", {}, h("span", { class: "figure-value" }, value), h("span", { class: "small quiet note" }, hint)),
  );
