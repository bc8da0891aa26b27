// One class: its register, what attendance adds up to, its students, their enrolment, timetable and leave.

import * as api from "../api.js";
import { h } from "../dom.js";
import { backLink, linkButton } from "../parts/button.js";
import { tabs } from "../parts/tabs.js";
import { note, to } from "../router.js";
import * as school from "../school.js";
import { t, when } from "../text.js";
import { mayRecord } from "../viewer.js";
import { attendanceTab } from "./class/attendance.js";
import { enrolmentTab } from "./class/enrolment.js";
import { leaveTab } from "./class/leave.js";
import { registerTab } from "./class/register.js";
import { studentsTab } from "./class/students.js";
import { timetableTab } from "./class/timetable.js";

export async function show({ params, query, signal }) {
  const id = Number(params.class);
  const [item, subjects] = await Promise.all([api.get(`/classes/${id}`, {}, signal), school.subjects()]);
  const title = school.className(item);
  const context = { id, item, subjects, query, signal };
  const items = [
    ["register", registerTab],
    ["attendance", attendanceTab],
    ["students", studentsTab],
    ["enrolment", enrolmentTab],
    ["timetable", timetableTab],
    // A reason why somebody is away is no business of readers.
    mayRecord() && ["leave", leaveTab],
  ];
  return {
    title,
    body: [
      backLink(t("classes.title"), "#/classes"),
      h(
        "div",
        { class: "head" },
        h(
          "div",
          {},
          h("h1", {}, title),
          h(
            "p",
            { class: "row quiet" },
            item.term,
            item.pilot_since &&
              h("span", { class: "tag" }, t("class.pilotSince", { when: when(item.pilot_since, "date") })),
          ),
        ),
        h("div", { class: "head-actions" }, [
          mayRecord() && linkButton(t("today.take"), to("/take", { class: id }), { kind: "primary", icon: "camera" }),
        ]),
      ),
      tabs(
        title,
        items
          .filter(Boolean)
          .map(([name, tab]) => ({ id: name, title: t(`class.tab.${name}`), show: () => tab(context) })),
        query.get("tab"),
        (tab) => {
          note({ tab, page: "" });
          query.set("tab", tab);
        },
      ),
    ],
  };
}
