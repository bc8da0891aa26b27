// What a pilot found beside the register: a verdict, four shares, and every difference with the photo to look at.

import { h, replace } from "../../dom.js";
import { icon } from "../../parts/icon.js";
import { pager } from "../../parts/pager.js";
import { sentence } from "../../parts/states.js";
import { statusBadge } from "../../parts/status.js";
import { table } from "../../parts/table.js";
import { to } from "../../router.js";
import { dayOf, momentIn, number, percent, t, when } from "../../text.js";

const SHARES = ["agreement", "wrong_names", "missed", "asked"];
const TONE = { ready: "good", not_ready: "bad", not_enough_yet: "warn" };
const TAG = { wrong_present: "tag-bad", missed: "tag-bad", asked_present: "tag-warn", asked_absent: "tag-warn" };
const COUNTED = ["wrong_present", "missed", "asked_present", "asked_absent"];
const PER_PAGE = 20;

export const pilotResult = (found) => [
  verdict(found),
  h("dl", { class: "figures block" }, SHARES.map((name) => share(name, found.shares[name]))),
  found.by_week.length > 1 && weeks(found.by_week),
  found.differences.length > 0
    ? differences(found.differences)
    : h("p", { class: "block" }, t("pilot.noDifferences")),
  found.by_student.length > 0 && students(found.by_student),
  leftOut(found),
];

function verdict({ verdict: { readiness, reasons }, sessions, days }) {
  const tone = TONE[readiness];
  return h(
    "div",
    { class: `notice notice-${tone}`, tabindex: "-1" },
    icon(tone === "good" ? "check" : "alert"),
    h(
      "div",
      {},
      h("p", { class: "strong" }, t(`pilot.readiness.${readiness}`)),
      reasons.map((reason) => h("p", {}, sentence(reason))),
      h("p", { class: "small" }, t("pilot.compared", { sessions: number(sessions), days: number(days) })),
    ),
  );
}

/** A share with what it is of, and how far chance alone would move it. */
const share = (name, { share: value, count, of, low, high }) =>
  h(
    "div",
    { class: "card figure" },
    h("dt", { class: "small quiet" }, t(`pilot.share.${name}`)),
    h(
      "dd",
      {},
      h("span", { class: "figure-value" }, tenth(value)),
      h("span", { class: "small quiet note" }, t("pilot.of", { count, of })),
      of > 0 && h("span", { class: "small quiet note" }, t("pilot.between", { low: tenth(low), high: tenth(high) })),
    ),
  );

const tenth = (value) => percent(value, 1);

const tallyColumns = (tallyOf) =>
  COUNTED.map((outcome) => ({
    title: t(`pilot.outcome.${outcome}`),
    number: true,
    cell: (row) => number(tallyOf(row)[outcome]),
  }));

const weeks = (rows) =>
  h(
    "div",
    { class: "block" },
    table({
      caption: t("pilot.byWeek"),
      showCaption: true,
      rows,
      columns: [
        { title: t("dashboard.week"), head: true, cell: (row) => dayOf(row.monday, "date") },
        { title: t("dashboard.sessions"), number: true, cell: (row) => number(row.sessions) },
        {
          title: t("pilot.agreed"),
          number: true,
          cell: ({ tally }) => number(tally.agree_present + tally.agree_absent),
        },
        ...tallyColumns((row) => row.tally),
      ],
    }),
  );

const students = (rows) =>
  h(
    "details",
    { class: "block" },
    h("summary", {}, t("pilot.byStudent", { count: rows.length })),
    table({
      caption: t("pilot.byStudent", { count: rows.length }),
      rows,
      columns: [
        {
          title: t("register.student"),
          head: true,
          cell: (row) => [h("span", { class: "quiet" }, row.roll_no), ` ${row.name}`],
        },
        ...tallyColumns((row) => row.tally),
      ],
    }),
  );

function differences(items) {
  const list = h("div", {});
  const show = (page = 1) =>
    replace(
      list,
      h("ul", { class: "list" }, items.slice((page - 1) * PER_PAGE, page * PER_PAGE).map(differenceRow)),
      items.length > PER_PAGE && pager({ page, per_page: PER_PAGE, total: items.length }, show),
    );
  show();
  return h("div", { class: "block" }, h("h3", { class: "part-title" }, t("pilot.differences", { count: items.length })), list);
}

const differenceRow = (item) =>
  h(
    "li",
    {},
    h(
      "a",
      { class: "list-item pilot-difference", href: to(`/sessions/${item.session_id}`) },
      h(
        "span",
        { class: "grow" },
        h("span", { class: "quiet" }, `${item.roll_no} `),
        h("strong", {}, item.name),
        h("span", { class: "quiet" }, ` · ${momentOf(item)}`),
        h("span", { class: "small quiet note" }, sentence(item.reason)),
        h("span", { class: "small quiet note breaks" }, [...item.photos, t("pilot.line", { line: String(item.line) })].join(" · ")),
      ),
      h(
        "span",
        { class: "pilot-said small" },
        h("span", { class: `tag ${TAG[item.outcome]}` }, t(`pilot.outcome.${item.outcome}`)),
        h("span", { class: "row" }, t("pilot.inRegister"), statusBadge(item.register)),
      ),
    ),
  );

/** The service writes it as the school's clocks show it. */
const momentOf = ({ starts_at: shown }) => when(momentIn(...shown.split("T")));

/** What could not be compared is told as well. */
function leftOut({ not_comparable: unheard, left_out: marks, outside, sessions_without_register: sessions }) {
  const lines = [
    ...unheard.map(({ reason, records }) => t("pilot.notCompared", { count: records, reason: sentence(reason) })),
    ...marks.map(({ line, column, reason, marks: count }) =>
      t("pilot.leftOut", { count, place: [t("pilot.line", { line: String(line) }), column].filter(Boolean).join(", "), reason: sentence(reason) }),
    ),
    outside > 0 && t("pilot.outside", { count: outside }),
    ...sessions.map((session) => t("pilot.noRegister", { when: momentOf(session) })),
  ].filter(Boolean);
  if (lines.length === 0) return null;
  return h(
    "details",
    { class: "block" },
    h("summary", {}, t("pilot.notAll", { count: lines.length })),
    h("ul", { class: "stack small" }, lines.map((line) => h("li", {}, line))),
  );
}
