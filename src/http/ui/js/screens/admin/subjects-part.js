// What is taught in sessions.

import * as api from "../../api.js";
import { fill, h } from "../../dom.js";
import { button } from "../../parts/button.js";
import { ask, field, input } from "../../parts/form.js";
import { pager } from "../../parts/pager.js";
import { empty } from "../../parts/states.js";
import { say } from "../../parts/toast.js";
import * as school from "../../school.js";
import { t } from "../../text.js";

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
      return fill(place, empty(t("admin.settings.noSubjects"), t("admin.settings.noSubjectsText")));
    if (found.length === 0) return fill(place, empty(t("admin.list.nothingFits"), t("admin.list.nothingFitsText")));
    const shown = found.slice((page - 1) * PER_PAGE, page * PER_PAGE);
    fill(
      place,
      h(
        "ul",
        { class: "list" },
        shown.map(({ name }) => h("li", { class: "list-item" }, name)),
      ),
      pager(list, (to) => ((page = to), show())),
    );
  };
  search.addEventListener("input", () => ((page = 1), show()));
  const add = async () => {
    const made = await ask({
      title: t("admin.settings.addSubject"),
      action: t("action.add"),
      fields: [
        field(t("admin.settings.subjectName"), input("name", { required: true, maxlength: 100, autofocus: true })),
      ],
      send: ({ name }) => api.post("/subjects", { name }),
    });
    if (!made) return;
    school.forget();
    subjects = await school.subjects();
    show();
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
