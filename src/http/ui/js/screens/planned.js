// A lesson of the timetable: taken, to be taken, or a holiday.

import { h } from "../dom.js";
import { icon } from "../parts/icon.js";
import { to } from "../router.js";
import * as school from "../school.js";
import { t, when } from "../text.js";
import { mayRecord } from "../viewer.js";

/** @param {object} lesson as `/planned-sessions` gives it @param {{time?: boolean, named?: boolean}} [look] only its time; its class too */
export function plannedRow(lesson, { time = false, named = false } = {}) {
  const what = [
    h("span", { class: "quiet number" }, when(lesson.starts_at, time ? "time" : "moment")),
    h(
      "span",
      { class: "grow" },
      named && h("strong", {}, school.className({ name: lesson.class, section: lesson.section }), " "),
      lesson.subject ?? t("take.noSubject"),
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
      { class: "list-item", href: to(`/sessions/${lesson.session_id}`) },
      what,
      h("span", { class: `tag ${lesson.state === "confirmed" ? "tag-good" : "tag-warn"}` }, state),
    );
  }
  const isOver = new Date(lesson.starts_at) <= new Date();
  if (lesson.holiday || !isOver) return h("div", { class: "list-item" }, what, !lesson.holiday && h("span", { class: "tag" }, t("planned.toCome")));
  const tag = h("span", { class: "tag tag-warn" }, t("today.notTaken"));
  if (!mayRecord()) return h("div", { class: "list-item" }, what, tag);
  const take = { class: lesson.class_id, subject: lesson.subject_id, at: lesson.starts_at };
  return h("a", { class: "list-item", href: to("/take", take) }, what, tag, icon("camera"));
}
