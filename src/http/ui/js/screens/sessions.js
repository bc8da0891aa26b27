// The history: every session, by class, subject, days and state.

import * as api from "../api.js";
import { fill, h } from "../dom.js";
import { button, linkButton } from "../parts/button.js";
import { field, input, select } from "../parts/form.js";
import { each, load, placeFor } from "../parts/load.js";
import { pager } from "../parts/pager.js";
import { sessionTag } from "../parts/session-row.js";
import { empty } from "../parts/states.js";
import { STATUSES, statusBadge } from "../parts/status.js";
import { note, to } from "../router.js";
import * as school from "../school.js";
import { dayIn, dayOf, number, t, when } from "../text.js";
import { mayRecord } from "../viewer.js";

const PER_PAGE = 25;
/** There the conditions wait behind their heading. */
const isPhone = matchMedia("(max-width: 47.99rem)");
const FILTERS = ["class", "subject", "from", "to", "state"];
const STATES = ["open", "review", "confirmed"];

export async function show({ query, signal }) {
  const [classes, subjects] = await Promise.all([school.classes(), school.subjects()]);
  const names = {
    class: new Map(classes.map((item) => [item.id, school.className(item)])),
    subject: new Map(subjects.map((item) => [item.id, item.name])),
  };
  const said = Object.fromEntries(FILTERS.map((name) => [name, query.get(name) ?? ""]));
  let page = Number(query.get("page") ?? 1) || 1;
  const place = placeFor();
  const showList = () =>
    load(place, async () => {
      const { class: class_id, subject: subject_id, from, to: until, state } = said;
      const list = await api.get(
        "/sessions",
        { class_id, subject_id, from, to: until, state, page, per_page: PER_PAGE },
        signal,
      );
      return list.total === 0 ? nothing(said, clear) : sessionList(list, names, goTo, signal);
    });
  const change = (name, value) => {
    said[name] = value;
    page = 1;
    note({ ...said, page: null });
    showList();
  };
  const goTo = (next) => {
    page = next;
    note({ page: next === 1 ? "" : next });
    showList();
  };
  const clear = () => {
    for (const name of FILTERS) {
      said[name] = "";
      form.elements[name].value = "";
    }
    change("class", "");
  };
  const { form, element } = filterForm(said, classes, subjects, change);
  showList();
  const title = t("sessions.title");
  return {
    title,
    body: [
      h(
        "div",
        { class: "head" },
        h("h1", {}, title),
        mayRecord() && linkButton(t("sessions.new"), to("/take"), { kind: "primary", icon: "camera" }),
      ),
      element,
      place,
    ],
  };
}

function filterForm(said, classes, subjects, change) {
  const changed = { on: { change: (event) => change(event.target.name, event.target.value) } };
  const choose = (name, all, options) => select(name, [["", all], ...options], said[name], changed);
  const classOptions = classes.map((item) => [item.id, school.nameInTerm(item)]);
  const some = FILTERS.some((name) => said[name] !== "");
  const form = h(
    "form",
    { class: "filters", on: { submit: (event) => event.preventDefault() }, "aria-label": t("sessions.filters") },
    field(t("sessions.class"), choose("class", t("sessions.allClasses"), classOptions)),
    subjects.length > 0 &&
      field(
        t("sessions.subject"),
        choose(
          "subject",
          t("sessions.allSubjects"),
          subjects.map((item) => [item.id, item.name]),
        ),
      ),
    field(t("range.from"), input("from", { type: "date", value: said.from, ...changed })),
    field(t("range.to"), input("to", { type: "date", value: said.to, ...changed })),
    field(
      t("sessions.state"),
      choose(
        "state",
        t("sessions.allStates"),
        STATES.map((state) => [state, t(`session.state.${state}`)]),
      ),
    ),
    // Without subjects there is no such field; clearing still finds its name.
    subjects.length === 0 && h("input", { type: "hidden", name: "subject", value: "" }),
  );
  return {
    form,
    element: h(
      "details",
      { class: "filters-fold", open: some || !isPhone.matches },
      h("summary", {}, t("sessions.filters")),
      form,
    ),
  };
}

function nothing(said, clear) {
  const filtered = FILTERS.some((name) => said[name] !== "");
  if (filtered) return empty(t("sessions.noneFound"), t("sessions.noneFoundText"), button(t("sessions.clear"), clear));
  return empty(
    t("sessions.none"),
    t("sessions.noneText"),
    mayRecord() && linkButton(t("sessions.new"), to("/take"), { kind: "primary", icon: "camera" }),
  );
}

/** The sessions of a page, day by day; what they add up to comes after them. */
function sessionList(list, names, goTo, signal) {
  const days = Map.groupBy ? Map.groupBy(list.items, (item) => dayIn(item.starts_at)) : grouped(list.items);
  const counts = new Map(list.items.map((item) => [item.id, h("span", { class: "session-counts" })]));
  each(list.items, async ({ id }) => {
    const { statuses, photos } = await api.get(`/sessions/${id}`, {}, signal);
    fill(counts.get(id), countsOf(statuses, photos));
  }).catch(() => {});
  return [
    [...days].map(([day, items]) =>
      h(
        "section",
        { class: "day" },
        h("h2", {}, dayOf(day, "day"), h("span", { class: "quiet year" }, ` ${day.slice(0, 4)}`)),
        h(
          "ul",
          { class: "list" },
          items.map((session) => sessionRow(session, names, counts.get(session.id))),
        ),
      ),
    ),
    pager(list, goTo),
  ];
}

function grouped(items) {
  const days = new Map();
  for (const item of items) {
    const day = dayIn(item.starts_at);
    days.set(day, [...(days.get(day) ?? []), item]);
  }
  return days;
}

const sessionRow = (session, names, counts) =>
  h(
    "li",
    {},
    h(
      "a",
      { class: "list-item session-item", href: to(`/sessions/${session.id}`) },
      h("span", { class: "quiet number" }, when(session.starts_at, "time")),
      h(
        "span",
        { class: "grow" },
        h("strong", {}, names.class.get(session.class_id) ?? t("sessions.otherClass")),
        h(
          "span",
          { class: "quiet" },
          [...new Set([names.subject.get(session.subject_id), session.name])]
            .filter(Boolean)
            .map((text) => ` · ${text}`),
        ),
      ),
      counts,
      h("span", { class: "session-state" }, sessionTag(session)),
    ),
  );

const countsOf = (statuses, photos) => [
  photos.failed > 0 && h("span", { class: "tag tag-bad" }, t("sessions.failed", { count: photos.failed })),
  STATUSES.filter((status) => statuses[status] > 0).map((status) =>
    h("span", { class: "count-of" }, statusBadge(status, { short: true }), h("span", {}, number(statuses[status]))),
  ),
];
