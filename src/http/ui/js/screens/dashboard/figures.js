// The statistics of a range as tiles, charts and a table.

import { freshId, h } from "../../dom.js";
import { chart } from "../../parts/chart.js";
import { empty } from "../../parts/states.js";
import { STATUSES, labelOf, styleOf } from "../../parts/status.js";
import { scrollable, table } from "../../parts/table.js";
import { to } from "../../router.js";
import * as school from "../../school.js";
import { dayOf, mondayOf, number, ofHundred, percent, t } from "../../text.js";

/** More days than this are drawn week by week. */
const MOST_DAYS = 45;

export function figuresOf({ days, classes, processing }) {
  const held = days.filter((day) => day.sessions > 0);
  if (held.length === 0 && processing.length === 0) return empty(t("dashboard.none"), t("dashboard.noneText"));
  const weekly = held.length > MOST_DAYS;
  const parts = weekly ? byWeek(held) : held;
  const labels = parts.map(({ date }) => dayOf(date, "short"));
  const first = t(weekly ? "dashboard.week" : "dashboard.day");
  return [
    tiles(held, classes, processing),
    h(
      "div",
      { class: "charts" },
      chart({
        level: 2,
        title: t("dashboard.overTime"),
        hint: t(weekly ? "dashboard.perWeek" : "dashboard.perDay"),
        first,
        labels,
        series: [{ name: t("summary.percent"), values: parts.map(percentOf) }],
        format: ofHundred,
        most: 100,
      }),
      classes.length > 1 && classBars(classes),
      chart({
        level: 2,
        title: t("dashboard.statuses"),
        hint: t("dashboard.statusesHint"),
        kind: "stack",
        first,
        labels,
        series: STATUSES.map((status) => ({
          name: labelOf(status),
          colour: styleOf(status).colour,
          values: parts.map((part) => part[status]),
        })),
      }),
      chart({
        level: 2,
        title: t("dashboard.processing"),
        hint: t("dashboard.processingHint"),
        first: t("dashboard.day"),
        labels: processing.map(({ date }) => dayOf(date, "short")),
        series: [
          { name: t("dashboard.median"), values: processing.map((day) => seconds(day.median_ms)) },
          { name: t("dashboard.slow"), values: processing.map((day) => seconds(day.p95_ms)) },
        ],
        format: duration,
        empty: t("dashboard.noPhotos"),
      }),
      chart({
        level: 2,
        title: t("dashboard.photos"),
        kind: "stack",
        first: t("dashboard.day"),
        labels: processing.map(({ date }) => dayOf(date, "short")),
        series: [
          { name: t("dashboard.done"), values: processing.map((day) => day.photos - day.failed) },
          { name: t("dashboard.failed"), values: processing.map((day) => day.failed) },
        ],
        empty: t("dashboard.noPhotos"),
      }),
    ),
    h("section", {}, h("h2", {}, t("dashboard.classes")), classTable(classes)),
  ];
}

const seconds = (ms) => (ms === null || ms === undefined ? null : ms / 1000);
const duration = (value) => t("dashboard.seconds", { count: number(value, value < 10 ? 1 : 0) });

/** Points over the records that count, as the school counts. */
function percentOf(part) {
  const counting = STATUSES.map((status) => ({ count: part[status], points: styleOf(status).points })).filter(
    ({ points }) => points !== null,
  );
  const all = counting.reduce((sum, { count }) => sum + count, 0);
  return all === 0 ? null : (100 * counting.reduce((sum, { count, points }) => sum + count * points, 0)) / all;
}

function added(parts) {
  const sum = { sessions: 0, ...Object.fromEntries(STATUSES.map((status) => [status, 0])) };
  for (const part of parts) for (const name of Object.keys(sum)) sum[name] += part[name];
  return sum;
}

/** Days of one week added up, under its Monday. */
function byWeek(days) {
  const weeks = new Map();
  for (const day of days) {
    const monday = mondayOf(day.date);
    weeks.set(monday, [...(weeks.get(monday) ?? []), day]);
  }
  return [...weeks].map(([date, parts]) => ({ date, ...added(parts) }));
}

function tiles(days, classes, processing) {
  const sum = (items, name) => items.reduce((all, item) => all + item[name], 0);
  const faces = sum(classes, "faces");
  return h(
    "dl",
    { class: "figures charts-above" },
    [
      [t("dashboard.sessions"), number(sum(days, "sessions"))],
      [t("summary.percent"), ofHundred(percentOf(added(days)))],
      [t("dashboard.faces"), number(faces)],
      [t("dashboard.doubtShare"), percent(faces === 0 ? null : sum(classes, "doubts") / faces)],
      [t("dashboard.strangers"), number(sum(classes, "strangers"))],
      [t("dashboard.photos"), number(sum(processing, "photos"))],
    ].map(([name, value]) =>
      h(
        "div",
        { class: "card figure" },
        h("dt", { class: "small quiet" }, name),
        h("dd", { class: "figure-value" }, value),
      ),
    ),
  );
}

/** The lowest first; those without figures last. */
const inOrder = (classes) => [...classes].sort((a, b) => (a.percent ?? 101) - (b.percent ?? 101));

const classLink = (item) =>
  h(
    "a",
    { class: "member-link", href: to(`/classes/${item.class_id}`, { tab: "attendance" }) },
    school.className({ name: item.class, section: item.section }),
  );

/** Bars below each other, with the number beside each: there may be many classes, with long names. */
function classBars(classes) {
  const id = freshId("bars");
  const bar = ({ percent: value }) =>
    h(
      "span",
      { class: "bar-track", "aria-hidden": "true" },
      h("span", { class: "bar-fill", css: { "--share": `${value ?? 0}%` } }),
    );
  const rows = inOrder(classes).map((item) =>
    h("li", {}, classLink(item), bar(item), h("span", { class: "number" }, ofHundred(item.percent))),
  );
  return h(
    "section",
    { class: "card chart-card", "aria-labelledby": id },
    h("h2", { id, class: "chart-title" }, t("dashboard.byClass")),
    h("p", { class: "small quiet" }, t("dashboard.byClassHint")),
    scrollable(t("dashboard.byClass"), h("ol", { class: "bar-list" }, rows), "bar-frame"),
  );
}

const classTable = (classes) =>
  table({
    caption: t("dashboard.classes"),
    empty: t("dashboard.noClasses"),
    rows: inOrder(classes),
    columns: [
      { title: t("sessions.class"), head: true, cell: classLink },
      { title: t("dashboard.sessions"), number: true, cell: (item) => number(item.sessions) },
      { title: t("summary.percent"), number: true, cell: (item) => ofHundred(item.percent) },
      { title: t("dashboard.faces"), number: true, wide: true, cell: (item) => number(item.faces) },
      {
        title: t("dashboard.doubts"),
        number: true,
        cell: (item) => [
          number(item.doubts),
          item.faces > 0 && h("span", { class: "small quiet" }, ` (${percent(item.doubts / item.faces)})`),
        ],
      },
      { title: t("dashboard.strangers"), number: true, wide: true, cell: (item) => number(item.strangers) },
    ],
  });
