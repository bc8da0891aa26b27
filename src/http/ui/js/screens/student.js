// One student: percentages, days, pictures that they are recognised by, leave.

import * as api from "../api.js";
import { h } from "../dom.js";
import { backLink, button, linkButton } from "../parts/button.js";
import { ask, field, input, select } from "../parts/form.js";
import { forgetPortrait, portrait } from "../parts/picture.js";
import { tabs } from "../parts/tabs.js";
import { say } from "../parts/toast.js";
import { note, refresh, to } from "../router.js";
import * as school from "../school.js";
import { dayOf, t, today, when } from "../text.js";
import { isAdmin, mayRecord } from "../viewer.js";
import { attendanceTab } from "./student/attendance.js";
import { calendarTab } from "./student/calendar.js";
import { consentTag, withdrawalConfirmed } from "./student/consent.js";
import { leaveTab } from "./student/leaves.js";
import { picturesTab } from "./student/pictures.js";

export async function show({ params, query, signal }) {
  const id = Number(params.student);
  const student = await api.get(`/students/${id}`, {}, signal);
  const context = { id, student, query, signal };
  const items = [
    ["attendance", attendanceTab],
    ["calendar", calendarTab],
    ["pictures", picturesTab],
    mayRecord() && ["leave", leaveTab],
  ];
  const here = currentOf(student.memberships)[0];
  return {
    title: student.name,
    body: [
      here
        ? backLink(className(here), to(`/classes/${here.class_id}`, { tab: "students" }))
        : backLink(t("classes.title"), "#/classes"),
      head(student),
      tabs(
        student.name,
        items
          .filter(Boolean)
          .map(([name, tab]) => ({ id: name, title: t(`student.tab.${name}`), show: () => tab(context) })),
        query.get("tab"),
        (tab) => note({ tab }),
      ),
    ],
  };
}

const className = (membership) => school.className({ name: membership.class_name, section: membership.section });

/** Classes that the student is in today, before those of other days. */
const currentOf = (memberships) =>
  memberships.filter(({ from, to: until }) => (!from || from <= today()) && (!until || until >= today()));

function head(student) {
  return h(
    "div",
    { class: "head student-head" },
    portrait(student.id, t("student.portraitOf", { name: student.name }), "picture-large"),
    h(
      "div",
      { class: "grow" },
      h("h1", {}, student.name),
      h(
        "p",
        { class: "row" },
        h("span", { class: "quiet" }, student.prn),
        consentTag(student.consent),
        !student.active && h("span", { class: "tag tag-bad" }, t("student.inactive")),
      ),
      student.consent_at &&
        h("p", { class: "small quiet" }, t("student.consentSince", { when: when(student.consent_at, "date") })),
      h("ul", { class: "links" }, memberships(student)),
    ),
    h("div", { class: "head-actions" }, [
      isAdmin() && button(t("action.change"), () => change(student), { kind: "plain" }),
      mayRecord() && linkButton(t("student.enrol"), to(`/students/${student.id}/enrol`), { icon: "camera" }),
    ]),
  );
}

const memberships = (student) =>
  student.memberships.map((item) =>
    h(
      "li",
      {},
      h("a", { href: to(`/classes/${item.class_id}`) }, className(item)),
      h("span", { class: "quiet" }, ` ${item.term} · ${t("student.roll", { roll: item.roll_no })}`),
      item.to && h("span", { class: "quiet" }, ` · ${t("students.to", { day: dayOf(item.to, "date") })}`),
    ),
  );

async function change(student) {
  const consents = ["unknown", "given", "withdrawn"].map((state) => [state, t(`student.consentState.${state}`)]);
  const did = await ask({
    title: t("student.change"),
    fields: [
      field(t("student.name"), input("name", { value: student.name, required: true, maxlength: 200 })),
      field(t("student.email"), input("email", { type: "email", value: student.email, maxlength: 200 })),
      field(t("student.consent"), select("consent", consents, student.consent), t("student.consentHint")),
      field(
        t("student.active"),
        input("active", { type: "checkbox", checked: student.active }),
        t("student.activeHint"),
      ),
    ],
    send: async (said) => {
      const different = changed(student, said);
      if (different.consent === "withdrawn") await withdrawalConfirmed(student.name);
      return api.patch(`/students/${student.id}`, different);
    },
  });
  if (!did) return;
  school.forget();
  // With the consent the pictures go.
  forgetPortrait(student.id);
  say(t("state.saved", { name: student.name }));
  refresh();
}

/** Only what is different: a consent that is said again would be a new one. */
const changed = (before, after) =>
  Object.fromEntries(Object.entries(after).filter(([name, value]) => value !== before[name]));
