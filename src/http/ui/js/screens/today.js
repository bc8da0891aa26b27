// What a teacher sees first: the lessons of today, what waits for a decision, and the way to a new session.

import * as api from "../api.js";
import { fill, h } from "../dom.js";
import { button, linkButton } from "../parts/button.js";
import { icon } from "../parts/icon.js";
import { sessionTag } from "../parts/session-row.js";
import { empty, failure, why } from "../parts/states.js";
import { refresh, to } from "../router.js";
import * as school from "../school.js";
import { t, today, when } from "../text.js";
import * as uploads from "../uploads.js";
import { isAdmin, mayRecord } from "../viewer.js";
import { plannedRow } from "./planned.js";

/** Sessions of so many days back may still wait for somebody. */
const BACK_DAYS = 14;
/** So many of each kind are shown here. */
const SHOWN = 20;

export async function show({ signal }) {
  const title = t("today.title");
  const unsent = h("div", {});
  const showUnsent = async () => fill(unsent, unsentPart(await school.classes().catch(() => [])));
  let wishes = uploads.wished().length;
  const hear = () => {
    const now = uploads.wished().length;
    // A session was made: it belongs into the lists.
    if (now < wishes && !signal.aborted) return refresh();
    wishes = now;
    showUnsent();
  };
  signal.addEventListener("abort", uploads.onUploads(hear));
  await showUnsent();
  try {
    return { title, body: await todayOf(title, unsent, signal) };
  } catch (error) {
    if (!(error instanceof api.Unreachable) || uploads.wished().length === 0) throw error;
    // Photos that wait for a connection are told of without one.
    return { title, body: [h("h1", {}, title), unsent, failure(error, refresh)] };
  }
}

async function todayOf(title, unsent, signal) {
  const day = today();
  const [classes, subjects, planned, ofToday, review, unfinished] = await Promise.all([
    school.classes(),
    school.subjects(),
    api.get("/planned-sessions", { from: day, to: day }, signal),
    api.all("/sessions", { from: day, to: day }, signal),
    waitingFor("review", day, signal),
    waitingFor("open", day, signal),
  ]);
  if (classes.length === 0) return [h("h1", {}, title), nobody()];
  const name = new Map(classes.map((item) => [item.id, school.className(item)]));
  const lessons = lessonsOf(planned.items, ofToday, classes, subjects);
  const waits = [...review.items, ...unfinished.items].sort((a, b) => b.starts_at.localeCompare(a.starts_at));
  const more = review.total + unfinished.total - waits.length;
  return [
    h(
      "div",
      { class: "head" },
      h("div", {}, h("h1", {}, title), h("p", { class: "quiet" }, when(new Date(), "day"))),
      mayRecord() && linkButton(t("today.take"), to("/take", { class: classes.length === 1 ? classes[0].id : null }), { kind: "primary", large: true, icon: "camera" }),
    ),
    unsent,
    lessons.length > 0 && section(t("today.lessons"), h("ul", { class: "list" }, lessons.map((lesson) => plannedRow(lesson, { time: true, named: true })))),
    waits.length > 0 &&
      section(t("today.open"), [
        h("ul", { class: "list" }, waits.map((session) => sessionRow(session, name))),
        more > 0 && h("p", {}, h("a", { href: to("/sessions", { state: "review", from: today(-BACK_DAYS) }) }, t("today.more", { count: more }))),
      ]),
    section(t(isAdmin() ? "today.allClasses" : "today.classes"), h("ul", { class: "cards" }, classes.map(classCard))),
  ];
}

/** The newest sessions of the last days that stand so. */
const waitingFor = (state, day, signal) => api.get("/sessions", { state, from: today(-BACK_DAYS), to: day, per_page: SHOWN }, signal);

/** Photos whose session could not be made yet, for want of a connection. */
const unsentPart = (classes) =>
  uploads.wished().map(({ wish, photos, error }) =>
    h(
      "p",
      { class: "notice notice-warn" },
      icon("upload"),
      h(
        "span",
        { class: "grow" },
        h("strong", {}, school.className(classOf(classes, wish.body.class_id))),
        ` · ${when(wish.body.starts_at)} · ${t("upload.waiting", { count: photos.length })}`,
        photos[0].state === "refused" && h("span", { class: "small bad below" }, why(error)),
      ),
      photos[0].state === "refused" &&
        button(t("sending.drop"), async () => {
          for (const photo of photos) await uploads.drop(photo);
        }),
    ),
  );

const section = (title, content) => h("section", {}, h("h2", {}, title), content);

const nobody = () =>
  isAdmin()
    ? empty(t("today.noClasses"), t("today.noClassesAdmin"), linkButton(t("today.roster"), "#/admin/roster", { kind: "primary" }))
    : empty(t("today.noClasses"), t("today.noClassesTeacher"));

/** A class of the list; one that is not in it has no name. */
const classOf = (classes, id) => classes.find((item) => item.id === id) ?? { name: "", section: "" };

/** What the timetable says, and sessions beside it, in the order of the day. */
function lessonsOf(planned, sessions, classes, subjects) {
  const known = new Set(planned.map((lesson) => lesson.session_id));
  const others = sessions.filter((session) => !known.has(session.id)).map((session) => besides(session, classes, subjects));
  return [...planned, ...others].sort((a, b) => a.starts_at.localeCompare(b.starts_at));
}

/** A session that no timetable knows, as if one did. */
function besides(session, classes, subjects) {
  const { name, section } = classOf(classes, session.class_id);
  const subject = subjects.find((item) => item.id === session.subject_id)?.name ?? session.name;
  return { ...session, class: name, section, subject, holiday: null, session_id: session.id };
}

const sessionRow = (session, name) =>
  h(
    "li",
    {},
    h(
      "a",
      { class: "list-item session-item", href: to(`/sessions/${session.id}`) },
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
