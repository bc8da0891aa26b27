// The classes of the school: found by name and term, added.

import * as api from "../../api.js";
import { freshId, h } from "../../dom.js";
import { button, linkButton } from "../../parts/button.js";
import { confirmed } from "../../parts/dialog.js";
import { ask, field, input, select } from "../../parts/form.js";
import { empty } from "../../parts/states.js";
import { say } from "../../parts/toast.js";
import * as school from "../../school.js";
import { t } from "../../text.js";
import { listing } from "./listing.js";

export async function classesPart({ query, signal }) {
  const terms = termsOf(await school.classes());
  const list = listing({
    signal,
    query,
    filters: [
      field(t("admin.settings.findClass"), input("search", { type: "search" })),
      field(
        t("admin.settings.term"),
        select("term", [["", t("admin.settings.allTerms")], ...terms.map((term) => [term, term])]),
      ),
    ],
    ask: (said) => api.get("/classes", said, signal),
    show: (items) =>
      h(
        "ul",
        { class: "list" },
        items.map((item) => classRow(item, () => (school.forget(), list.load()))),
      ),
    none: () =>
      empty(
        t("admin.settings.noClasses"),
        t("admin.settings.noClassesText"),
        linkButton(t("admin.settings.import"), "#/admin/roster"),
      ),
  });
  return [
    h("p", { class: "quiet admin-intro" }, t("admin.settings.classesText")),
    h(
      "div",
      { class: "head-actions part-actions" },
      button(t("admin.settings.addClass"), () => addClass(terms, list.load), { kind: "primary", icon: "plus" }),
      linkButton(t("admin.settings.import"), "#/admin/roster", { icon: "upload" }),
    ),
    list.element,
  ];
}

const termsOf = (classes) => [...new Set(classes.map((item) => item.term))].sort().reverse();

function classRow(item, after) {
  const name = school.className(item);
  const rename = async () => {
    const renamed = await ask({
      title: t("admin.settings.rename", { name }),
      text: t("admin.settings.renameClassText"),
      fields: [
        field(
          t("admin.settings.className"),
          input("name", { required: true, maxlength: 50, autofocus: true, value: item.name }),
        ),
        field(
          t("admin.settings.section"),
          input("section", { maxlength: 50, value: item.section }),
          t("admin.settings.sectionHint"),
        ),
      ],
      send: (said) => api.patch(`/classes/${item.id}`, { name: said.name, section: said.section ?? "" }),
    });
    if (!renamed) return;
    say(t("admin.settings.renamed", { name, to: school.className(renamed) }));
    await after();
  };
  const remove = async () => {
    const sure = await confirmed(
      t("admin.settings.deleteThis", { name }),
      t("admin.settings.deleteClassText"),
      t("action.delete"),
    );
    if (!sure) return;
    await api.remove(`/classes/${item.id}`);
    say(t("admin.settings.deleted", { name }));
    await after();
  };
  return h(
    "li",
    { class: "list-item" },
    h("a", { class: "grow strong", href: `#/classes/${item.id}` }, name),
    item.pilot_since && h("span", { class: "tag tag-warn" }, t("admin.settings.pilot")),
    h("span", { class: "small quiet" }, item.term),
    button(t("admin.settings.renameAction"), rename, { kind: "plain", label: t("admin.settings.rename", { name }) }),
    button("", remove, { kind: "plain", icon: "trash", label: t("admin.settings.deleteLabel", { name }) }),
  );
}

async function addClass(terms, after) {
  const known = freshId("terms");
  const made = await ask({
    title: t("admin.settings.addClass"),
    action: t("action.add"),
    fields: [
      field(t("admin.settings.className"), input("name", { required: true, maxlength: 50, autofocus: true })),
      field(t("admin.settings.section"), input("section", { maxlength: 50 }), t("admin.settings.sectionHint")),
      field(
        t("admin.settings.term"),
        input("term", { maxlength: 50, list: known, value: terms[0] ?? "" }),
        t("admin.settings.termHint"),
      ),
      h(
        "datalist",
        { id: known },
        terms.map((term) => h("option", { value: term })),
      ),
    ],
    send: ({ name, section, term }) => api.post("/classes", { name, section: section ?? "", term }),
  });
  if (!made) return;
  school.forget();
  say(t("admin.settings.classAdded", { name: school.className(made) }));
  await after();
}
