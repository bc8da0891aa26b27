// Lessons of the timetable: taken, to be taken, or a holiday; and those whose register was not taken.

import * as api from "../api.js";
import { h } from "../dom.js";
import { icon } from "../parts/icon.js";
import { pager } from "../parts/pager.js";
import { to } from "../router.js";
import * as school from "../school.js";
import { t, today, when } from "../text.js";
import { mayRecord } from "../viewer.js";

const PER_PAGE = 10;

/** Lessons that are over, are no holiday, and have no register; the newest first. */
export async function notTaken(asked, signal) {
  const until = asked.to < today() ? asked.to : today();
  if (asked.from > until) return [];
  const { items } = await api.get("/planned-sessions", { ...asked, to: until, taken: false }, signal);
  const now = new Date().toISOString();
  const open = items.filter((lesson) => !lesson.holiday && lesson.starts_at <= now);
  return open.sort((a, b) => b.starts_at.localeCompare(a.starts_at));
}

/** A page of them. */
export function notTakenList(items, page, go, look) {
  const shown = items.slice((page - 1) * PER_PAGE, page * PER_PAGE);
  const list = { page, per_page: PER_PAGE, total: items.length };
  return [
    h(
      "ul",
      { class: "list" },
      shown.map((lesson) => plannedRow(lesson, look)),
    ),
    pager(list, go),
  ];
}

/** @param {object} lesson as `/planned-sessions` gives it @param {{time?: boolean, named?: boolean}} [look] only its time; its class too */
export function plannedRow(lesson, { time = false, named = false } = {}) {
  const what = [
    h("span", { class: "quiet number" }, when(lesson.starts_at, time ? "time" : "moment")),
    h(
      "span",
      { class: "grow" },
      named && h("strong", {}, school.className({ name: lesson.class, section: lesson.section }), " "),
      lesson.subject ?? (named ? null : t("take.noSubject")),
      lesson.holiday && h("span", { class: "small quiet note" }, t("today.holiday", { name: lesson.holiday })),
    ),
  ];
  return h("li", {}, linked(lesson, what));
}

function linked(lesson, what) {
  if (lesson.session_id !== null) {
    const state = lesson.state ? t(`session.state.${lesson.state}`) : t("planned.taken");
    return h(
      "a",
      { class: "list-item planned-item", href: to(`/sessions/${lesson.session_id}`) },
      what,
      h("span", { class: `tag ${lesson.state === "confirmed" ? "tag-good" : "tag-warn"}` }, state),
    );
  }
  const isOver = new Date(lesson.starts_at) <= new Date();
  if (lesson.holiday || !isOver)
    return h(
      "div",
      { class: "list-item planned-item" },
      what,
      !lesson.holiday && h("span", { class: "tag" }, t("planned.toCome")),
    );
  const tag = h("span", { class: "tag tag-warn" }, t("today.notTaken"));
  if (!mayRecord()) return h("div", { class: "list-item planned-item" }, what, tag);
  const take = { class: lesson.class_id, subject: lesson.subject_id, at: lesson.starts_at };
  return h("a", { class: "list-item planned-item", href: to("/take", take) }, what, tag, icon("camera"));
}
