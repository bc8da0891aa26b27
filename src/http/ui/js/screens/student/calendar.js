// The days of a student: a month at a time, or several where there is room; a day tells its lessons.

import * as api from "../../api.js";
import { h, hidden } from "../../dom.js";
import { button } from "../../parts/button.js";
import * as dialog from "../../parts/dialog.js";
import { load, placeFor } from "../../parts/load.js";
import { STATUSES, labelOf, statusBadge } from "../../parts/status.js";
import { note, to } from "../../router.js";
import { dayAfter, dayOf, language, t, today, when } from "../../text.js";
import { mayRecord } from "../../viewer.js";

const SHOWN_WIDE = 3;
/** Letters of a day that fit into its field. */
const LETTERS = 4;

export function calendarTab({ id, student, query, signal }) {
  const place = placeFor();
  const count = matchMedia("(min-width: 60rem)").matches ? SHOWN_WIDE : 1;
  const now = today().slice(0, 7);
  let last = /^\d{4}-\d{2}$/.test(query.get("month") ?? "") ? query.get("month") : now;
  const show = () => {
    back.disabled = last === now;
    load(place, () => months(id, student, last, count, signal), { rows: 6 });
  };
  const goTo = (month) => {
    last = month;
    query.set("month", last);
    note({ month: last });
    show();
  };
  const back = button(t("studentDays.thisMonth"), () => goTo(now), { kind: "plain" });
  show();
  return [
    h("div", { class: "row week-bar" }, [
      button("", () => goTo(shiftedMonth(last, -1)), { icon: "back", label: t("studentDays.before") }),
      back,
      button("", () => goTo(shiftedMonth(last, 1)), { icon: "forward", label: t("studentDays.after") }),
    ]),
    place,
  ];
}

function shiftedMonth(month, step) {
  const at = new Date(`${month}-01T00:00:00Z`);
  at.setUTCMonth(at.getUTCMonth() + step);
  return at.toISOString().slice(0, 7);
}

const lastDay = (month) => dayAfter(`${shiftedMonth(month, 1)}-01`, -1);

async function months(id, student, last, count, signal) {
  const shown = Array.from({ length: count }, (_, i) => shiftedMonth(last, i - count + 1));
  const range = { from: `${shown[0]}-01`, to: lastDay(last) };
  const [{ days }, holidays, leaves] = await Promise.all([
    api.get(`/students/${id}/attendance`, range, signal),
    api.get("/holidays", range, signal).then(({ items }) => items.filter(concerns(student))),
    mayRecord() ? api.get(`/students/${id}/leaves`, {}, signal).then(({ items }) => items.filter(within(range))) : [],
  ]);
  const dayOn = { records: new Map(days.map(({ date, records }) => [date, records])), holidays, leaves };
  return [
    h(
      "div",
      { class: "months" },
      shown.map((month) => monthTable(month, dayOn)),
    ),
    h(
      "ul",
      { class: "row small quiet block", "aria-label": t("register.legend") },
      STATUSES.map((status) => h("li", {}, statusBadge(status))),
      leaves.length > 0 && h("li", { class: "day-sign leave-sign" }, t("studentDays.leave")),
      holidays.length > 0 && h("li", { class: "day-sign holiday-sign" }, t("studentDays.holiday")),
    ),
    textual(days),
  ];
}

/** Holidays of the whole school, and of the student's classes. */
const concerns =
  (student) =>
  ({ class_id: id }) =>
    id === null || student.memberships.some((item) => item.class_id === id);

const within = (range) => (item) => item.from <= range.to && item.to >= range.from;
const on = (date) => (item) => item.from <= date && date <= item.to;

/** Names of the days, Monday first. 5 January 2026 is one. */
const weekdays = (form) =>
  Array.from({ length: 7 }, (_, i) =>
    new Intl.DateTimeFormat(language, { weekday: form, timeZone: "UTC" }).format(new Date(Date.UTC(2026, 0, 5 + i))),
  );

function monthTable(month, dayOn) {
  const first = new Date(`${month}-01T00:00:00Z`);
  const before = (first.getUTCDay() + 6) % 7;
  const length = Number(lastDay(month).slice(8));
  const weeks = Math.ceil((before + length) / 7);
  const dayAt = (week, i) => week * 7 + i - before + 1;
  const [long, short] = [weekdays("long"), weekdays("narrow")];
  return h(
    "table",
    { class: "month" },
    h("caption", {}, dayOf(`${month}-01`, "month")),
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        long.map((name, i) =>
          h(
            "th",
            { scope: "col", abbr: name },
            h("span", { "aria-hidden": "true" }, short[i]),
            h("span", { class: "visually-hidden" }, name),
          ),
        ),
      ),
    ),
    h(
      "tbody",
      {},
      Array.from({ length: weeks }, (_, week) =>
        h(
          "tr",
          {},
          long.map((_, i) => {
            const day = dayAt(week, i);
            if (day < 1 || day > length) return h("td", {});
            const date = `${month}-${String(day).padStart(2, "0")}`;
            return dayCell(date, dayOn);
          }),
        ),
      ),
    ),
  );
}

function dayCell(date, dayOn) {
  const records = dayOn.records.get(date) ?? [];
  const leave = dayOn.leaves.find(on(date));
  const holiday = dayOn.holidays.find(on(date));
  const day = Number(date.slice(8));
  const said = [leave && t("studentDays.leave"), holiday && t("today.holiday", { name: holiday.name })].filter(Boolean);
  const marks = {
    class: ["day-cell", leave ? "day-leave" : holiday && "day-holiday", date === today() && "day-today"]
      .filter(Boolean)
      .join(" "),
    title: said.join(", ") || null,
  };
  if (records.length === 0) {
    return h(
      "td",
      marks,
      h("span", { class: "day-number quiet" }, day),
      said.length > 0 && hidden(` ${said.join(", ")}`),
    );
  }
  const words = records.map((record) =>
    [labelOf(record.status), record.subject, when(record.starts_at, "time")].filter(Boolean).join(" "),
  );
  const fit = records.length > LETTERS ? LETTERS - 1 : LETTERS;
  return h(
    "td",
    marks,
    h(
      "button",
      { type: "button", class: "day-button", on: { click: () => openDay(date, records) } },
      hidden([dayOf(date, "day"), ...words, ...said].join(", ")),
      h("span", { class: "day-number", "aria-hidden": "true" }, day),
      h(
        "span",
        { class: "day-letters", "aria-hidden": "true" },
        records.slice(0, fit).map((record) => statusBadge(record.status, { short: true })),
        records.length > fit && h("span", { class: "day-more" }, `+${records.length - fit}`),
      ),
    ),
  );
}

const openDay = (date, records) => dialog.open({ title: dayOf(date, "day"), body: lessons(records) });

const lessons = (records) =>
  h(
    "ul",
    { class: "list" },
    records.map((record) =>
      h(
        "li",
        {},
        h(
          "a",
          { class: "list-item", href: to(`/sessions/${record.session_id}`) },
          h("span", { class: "quiet number" }, when(record.starts_at, "time")),
          h(
            "span",
            { class: "grow" },
            record.subject ?? t("take.noSubject"),
            record.note && h("span", { class: "small quiet note" }, record.note),
          ),
          statusBadge(record.status),
        ),
      ),
    ),
  );

/** The same without a calendar, the newest day first. */
function textual(days) {
  if (days.length === 0) return h("p", { class: "quiet" }, t("studentDays.noDays"));
  return h(
    "details",
    {},
    h("summary", {}, t("studentDays.asList")),
    [...days]
      .reverse()
      .map(({ date, records }) => h("div", { class: "block" }, h("h3", {}, dayOf(date, "day")), lessons(records))),
  );
}
