// What a teacher sees first: the lessons of today, what waits for a decision, and the way to a new session.

import * as api from "../api.js";
import { h } from "../dom.js";
import { linkButton } from "../parts/button.js";
import { icon } from "../parts/icon.js";
import { sessionTag } from "../parts/session-row.js";
import { empty } from "../parts/states.js";
import { to } from "../router.js";
import * as school from "../school.js";
import { dayIn, t, today, when } from "../text.js";
import { isAdmin, mayRecord } from "../viewer.js";

/** Sessions of so many days back may still wait for somebody. */
const BACK_DAYS = 14;

export async function show({ signal }) {
  const day = today();
  const [classes, planned, recent] = await Promise.all([
    school.classes(),
    api.get("/planned-sessions", { from: day, to: day }, signal),
    api.get("/sessions", { from: today(-BACK_DAYS), to: day, per_page: 100 }, signal),
  ]);
  const title = t("today.title");
  if (classes.length === 0) return { title, body: [h("h1", {}, title), nobody()] };
  const name = new Map(classes.map((item) => [item.id, school.className(item)]));
  const open = recent.items.filter((session) => session.state !== "confirmed");
  const lessons = lessonsOf(planned.items, recent.items, day);
  return {
    title,
    body: [
      h(
        "div",
        { class: "head" },
        h("div", {}, h("h1", {}, title), h("p", { class: "quiet" }, when(new Date(), "day"))),
        mayRecord() && linkButton(t("today.take"), to("/take", { class: classes.length === 1 ? classes[0].id : null }), { kind: "primary", large: true, icon: "camera" }),
      ),
      lessons.length > 0 && section(t("today.lessons"), h("ul", { class: "list" }, lessons.map((lesson) => lessonRow(lesson, name)))),
      open.length > 0 && section(t("today.open"), h("ul", { class: "list" }, open.map((session) => sessionRow(session, name)))),
      section(t(isAdmin() ? "today.allClasses" : "today.classes"), h("ul", { class: "cards" }, classes.map(classCard))),
    ],
  };
}

const section = (title, content) => h("section", {}, h("h2", {}, title), content);

const nobody = () =>
  isAdmin()
    ? empty(t("today.noClasses"), t("today.noClassesAdmin"), linkButton(t("today.roster"), "#/admin/roster", { kind: "primary" }))
    : empty(t("today.noClasses"), t("today.noClassesTeacher"));

/** What the timetable says, and sessions beside it, in the order of the day. */
function lessonsOf(planned, sessions, day) {
  const known = new Set(planned.map((lesson) => lesson.session_id));
  const others = sessions.filter((session) => !known.has(session.id) && dayIn(session.starts_at) === day);
  const all = [
    ...planned.map((lesson) => ({ ...lesson, session: sessions.find((session) => session.id === lesson.session_id) })),
    ...others.map((session) => ({ class_id: session.class_id, subject: null, starts_at: session.starts_at, session })),
  ];
  return all.sort((a, b) => a.starts_at.localeCompare(b.starts_at));
}

function lessonRow(lesson, name) {
  const what = h(
    "span",
    { class: "grow" },
    h("strong", {}, name.get(lesson.class_id)),
    lesson.subject && ` · ${lesson.subject}`,
    lesson.holiday && h("span", { class: "quiet" }, ` · ${t("today.holiday", { name: lesson.holiday })}`),
  );
  const time = h("span", { class: "quiet number" }, when(lesson.starts_at, "time"));
  if (lesson.session) {
    return h("li", {}, h("a", { class: "list-item", href: to(`/sessions/${lesson.session.id}`) }, time, what, sessionTag(lesson.session)));
  }
  const take = { class: lesson.class_id, subject: lesson.subject_id, at: lesson.starts_at };
  return h(
    "li",
    {},
    mayRecord() && !lesson.holiday
      ? h("a", { class: "list-item", href: to("/take", take) }, time, what, h("span", { class: "tag tag-warn" }, t("today.notTaken")), icon("camera"))
      : h("div", { class: "list-item" }, time, what),
  );
}

const sessionRow = (session, name) =>
  h(
    "li",
    {},
    h(
      "a",
      { class: "list-item", href: to(`/sessions/${session.id}`) },
      h("span", { class: "grow" }, h("strong", {}, name.get(session.class_id)), h("span", { class: "quiet" }, ` · ${when(session.starts_at)}`)),
      sessionTag(session),
    ),
  );

const classCard = (item) =>
  h(
    "li",
    { class: "card row" },
    h("a", { class: "grow", href: to(`/classes/${item.id}`) }, h("strong", {}, school.className(item)), h("br"), h("span", { class: "small quiet" }, item.term)),
    mayRecord() &&
      h(
        "a",
        { class: "button button-icon", href: to("/take", { class: item.id }), "aria-label": t("today.takeFor", { class: school.className(item) }) },
        icon("camera"),
      ),
  );
