// The classes that the person may see; the same search finds students.

import * as api from "../api.js";
import { h } from "../dom.js";
import { button, linkButton } from "../parts/button.js";
import { ask, field, input, select } from "../parts/form.js";
import { icon } from "../parts/icon.js";
import { load, placeFor } from "../parts/load.js";
import { pager } from "../parts/pager.js";
import { portrait } from "../parts/picture.js";
import { empty } from "../parts/states.js";
import { go, note, to } from "../router.js";
import * as school from "../school.js";
import { t } from "../text.js";
import { isAdmin, mayRecord } from "../viewer.js";

const PER_PAGE = 24;
const STUDENTS_PER_PAGE = 10;
/** A search begins so long after the last key. */
const PAUSE_MS = 250;

export async function show({ query, signal }) {
  const all = await school.classes();
  const terms = [...new Set(all.map((item) => item.term))].sort().reverse();
  const said = { search: query.get("search") ?? "", term: query.get("term") ?? "" };
  const pages = { classes: Number(query.get("page") ?? 1) || 1, students: 1 };
  const [classPlace, studentPlace] = [placeFor(), h("div", { class: "place block", hidden: true })];

  const showClasses = () =>
    load(classPlace, async () => {
      const list = await api.get("/classes", { ...said, page: pages.classes, per_page: PER_PAGE }, signal);
      return list.total === 0 ? nothing(said) : classList(list, goToClasses);
    });
  const showStudents = () => {
    studentPlace.hidden = said.search === "";
    if (said.search === "") return;
    load(
      studentPlace,
      async () => {
        const found = await api.get(
          "/students",
          { search: said.search, page: pages.students, per_page: STUDENTS_PER_PAGE },
          signal,
        );
        return studentList(found, goToStudents);
      },
      { rows: 2 },
    );
  };
  const goToClasses = (page) => {
    pages.classes = page;
    note({ page: page === 1 ? "" : page });
    showClasses();
  };
  const goToStudents = (page) => {
    pages.students = page;
    showStudents();
  };
  const change = (name, value) => {
    if (said[name] === value) return;
    said[name] = value;
    Object.assign(pages, { classes: 1, students: 1 });
    note({ ...said, page: "" });
    showClasses();
    if (name === "search") showStudents();
  };
  const search = input("search", { type: "search", value: said.search, placeholder: t("classes.searchHint") });
  let pause;
  search.addEventListener("input", () => {
    clearTimeout(pause);
    pause = setTimeout(() => change("search", search.value.trim()), PAUSE_MS);
  });
  signal.addEventListener("abort", () => clearTimeout(pause));
  const term = select("term", [["", t("classes.allTerms")], ...terms.map((item) => [item, item])], said.term);
  term.addEventListener("change", () => change("term", term.value));
  showClasses();
  showStudents();
  const title = t("classes.title");
  return {
    title,
    body: [
      h(
        "div",
        { class: "head" },
        h("h1", {}, title),
        isAdmin() && button(t("classes.new"), () => newClass(terms), { icon: "plus" }),
      ),
      h(
        "form",
        { class: "filters", role: "search", on: { submit: (event) => event.preventDefault() } },
        field(t("classes.search"), search),
        terms.length > 1 && field(t("classes.term"), term),
      ),
      classPlace,
      studentPlace,
    ],
  };
}

function nothing({ search, term }) {
  if (search || term) return h("p", { class: "quiet" }, t("classes.noneFound"));
  return isAdmin()
    ? empty(
        t("today.noClasses"),
        t("today.noClassesAdmin"),
        linkButton(t("today.roster"), "#/admin/roster", { kind: "primary" }),
      )
    : empty(t("today.noClasses"), t("today.noClassesTeacher"));
}

const classList = (list, goTo) => [h("ul", { class: "cards" }, list.items.map(classCard)), pager(list, goTo)];

const classCard = (item) =>
  h(
    "li",
    { class: "card row class-card" },
    h(
      "a",
      { class: "grow class-link", href: to(`/classes/${item.id}`) },
      h("strong", {}, school.className(item)),
      h("span", { class: "small quiet" }, item.term),
    ),
    item.pilot_since && h("span", { class: "tag" }, t("classes.pilot")),
    mayRecord() &&
      h(
        "a",
        {
          class: "button button-icon",
          href: to("/take", { class: item.id }),
          "aria-label": t("today.takeFor", { class: school.className(item) }),
        },
        icon("camera"),
      ),
  );

const studentList = (list, goTo) => [
  h("h2", { class: "part-title" }, t("classes.students")),
  list.total === 0
    ? h("p", { class: "quiet" }, t("classes.noStudents"))
    : [
        h(
          "ul",
          { class: "list" },
          list.items.map((student) =>
            h(
              "li",
              {},
              h(
                "a",
                { class: "list-item", href: to(`/students/${student.id}`) },
                portrait(student.id, ""),
                h(
                  "span",
                  { class: "grow" },
                  h("span", { class: "name" }, student.name),
                  h("span", { class: "small quiet" }, student.prn),
                ),
                !student.active && h("span", { class: "tag" }, t("student.inactive")),
              ),
            ),
          ),
        ),
        pager(list, goTo),
      ],
];

async function newClass(terms) {
  const made = await ask({
    title: t("classes.new"),
    fields: [
      field(t("classes.name"), input("name", { required: true, maxlength: 60, autofocus: true })),
      field(t("classes.section"), input("section", { maxlength: 20 }), t("classes.sectionHint")),
      field(t("classes.term"), input("term", { value: terms[0] ?? null, maxlength: 40 }), t("classes.termHint")),
    ],
    action: t("action.add"),
    send: ({ name, section, term }) => api.post("/classes", { name, section: section ?? "", term }),
  });
  if (!made) return;
  school.forget();
  go(`/classes/${made.id}`, { tab: "students" });
}
