// What is taught in sessions.

import * as api from "../../api.js";
import { h, replace } from "../../dom.js";
import { button } from "../../parts/button.js";
import { ask, field, input } from "../../parts/form.js";
import { pager } from "../../parts/pager.js";
import { empty } from "../../parts/states.js";
import { say } from "../../parts/toast.js";
import * as school from "../../school.js";
import { t } from "../../text.js";
import { entryActions } from "./entry-actions.js";

const PER_PAGE = 50;

export async function subjectsPart() {
  let subjects = await school.subjects();
  let page = 1;
  const place = h("div", { class: "listing" });
  const search = input("search", { type: "search" });
  const show = () => {
    const words = search.value.trim().toLowerCase();
    const found = subjects.filter(({ name }) => name.toLowerCase().includes(words));
    const list = { page, per_page: PER_PAGE, total: found.length };
    if (subjects.length === 0)
      return replace(place, empty(t("admin.settings.noSubjects"), t("admin.settings.noSubjectsText")));
    if (found.length === 0) return replace(place, empty(t("admin.list.nothingFits"), t("admin.list.nothingFitsText")));
    const shown = found.slice((page - 1) * PER_PAGE, page * PER_PAGE);
    replace(
      place,
      h(
        "ul",
        { class: "list" },
        shown.map((subject) => subjectRow(subject, again)),
      ),
      pager(list, (to) => ((page = to), show())),
    );
  };
  search.addEventListener("input", () => ((page = 1), show()));
  const again = async () => {
    school.forget();
    subjects = await school.subjects();
    show();
  };
  const add = async () => {
    const made = await ask({
      title: t("admin.settings.addSubject"),
      action: t("action.add"),
      fields: [nameField()],
      send: ({ name }) => api.post("/subjects", { name }),
    });
    if (!made) return;
    await again();
    say(t("admin.settings.subjectAdded", { name: made.name }));
  };
  show();
  return [
    h("p", { class: "quiet admin-intro" }, t("admin.settings.subjectsText")),
    h(
      "div",
      { class: "filters filters-add" },
      field(t("admin.settings.findSubject"), search),
      button(t("admin.settings.addSubject"), add, { kind: "primary", icon: "plus" }),
    ),
    place,
  ];
}

const subjectRow = ({ id, name }, after) =>
  h(
    "li",
    { class: "list-item" },
    h("strong", { class: "grow" }, name),
    entryActions({
      path: `/subjects/${id}`,
      name,
      fields: () => [nameField(name)],
      nameOf: (subject) => subject.name,
      deleteText: t("admin.settings.deleteSubjectText"),
      after,
    }),
  );

const nameField = (name = "") =>
  field(
    t("admin.settings.subjectName"),
    input("name", { required: true, maxlength: 100, autofocus: true, value: name }),
  );
