// The classes of the school: found by name and term, added.

import * as api from "../../api.js";
import { freshId, h } from "../../dom.js";
import { button, linkButton } from "../../parts/button.js";
import { ask, field, input, select } from "../../parts/form.js";
import { empty } from "../../parts/states.js";
import { say } from "../../parts/toast.js";
import * as school from "../../school.js";
import { t } from "../../text.js";
import { entryActions } from "./entry-actions.js";
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

const termsOf = (classes) => [...new Set(classes.map((item) => item.term))].filter(Boolean).sort().reverse();

const classRow = (item, after) =>
  h(
    "li",
    { class: "list-item" },
    h("a", { class: "grow strong", href: `#/classes/${item.id}` }, school.className(item)),
    item.pilot_since && h("span", { class: "tag tag-warn" }, t("admin.settings.pilot")),
    h("span", { class: "small quiet" }, item.term),
    entryActions({
      path: `/classes/${item.id}`,
      name: school.className(item),
      fields: () => [
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
      body: ({ name, section }) => ({ name, section: section ?? "" }),
      nameOf: school.className,
      renameText: t("admin.settings.renameClassText"),
      deleteText: t("admin.settings.deleteClassText"),
      after,
    }),
  );

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
