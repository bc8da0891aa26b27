// Who did what, and when: lines that nobody can change, found by person, action, object, class and day.

import * as api from "../api.js";
import { h } from "../dom.js";
import { field, input, select } from "../parts/form.js";
import { empty } from "../parts/states.js";
import * as school from "../school.js";
import { dayAfter, momentIn, t } from "../text.js";
import { ACTIONS, actionName, auditLines } from "./admin/audit-lines.js";
import { head } from "./admin/head.js";
import { listing } from "./admin/listing.js";

const KINDS = ["user", "token", "command", "link", "nobody"];
const OBJECTS = [
  "user",
  "token",
  "class",
  "student",
  "member",
  "sample",
  "subject",
  "session",
  "photo",
  "face",
  "job",
  "export",
  "holiday",
  "leave",
];

export async function show({ query, signal }) {
  const [classes, users] = await Promise.all([school.classes(), api.all("/users", {}, signal)]);
  const title = t("admin.audit.title");
  const from = input("from", { type: "date" });
  const until = input("until", { type: "date" });
  const more = ["object_kind", "object_id", "class_id"].some((name) => query.get(name));
  const list = listing({
    signal,
    query,
    filters: [
      field(t("admin.audit.actor"), actorSelect(users)),
      field(t("admin.audit.action"), actionSelect()),
      field(t("admin.audit.from"), from),
      field(t("admin.audit.until"), until),
      h(
        "details",
        { class: "filters-more", open: more },
        h("summary", {}, t("admin.audit.more")),
        h(
          "div",
          { class: "filters" },
          field(
            t("admin.audit.object"),
            select("object_kind", [
              ["", t("admin.audit.anything")],
              ...OBJECTS.map((kind) => [kind, t(`admin.audit.objects.${kind}`)]),
            ]),
          ),
          field(
            t("admin.audit.objectId"),
            input("object_id", { type: "number", min: 1, inputmode: "numeric" }),
            t("admin.audit.objectIdHint"),
          ),
          field(
            t("admin.audit.class"),
            select("class_id", [
              ["", t("admin.list.all")],
              ...classes.map((item) => [item.id, school.nameInTerm(item)]),
            ]),
          ),
        ),
      ),
    ],
    ask: (said) => api.get("/audit", asked(said), signal),
    show: (items) => auditLines(items, { classes, users }),
    none: () => empty(t("admin.audit.none")),
  });
  return { title, body: [head(title), list.element] };
}

/** What the interface is asked, from what stands in the form. */
function asked({ actor, object_kind: kind, object_id: id, from, until, ...said }) {
  const [actorKind, actorId] = actor?.split(":") ?? [null, null];
  return {
    ...said,
    actor_kind: actorKind,
    actor_id: actorId,
    object_kind: kind,
    // A number alone would be refused.
    object_id: kind ? id : null,
    from: from && momentIn(from),
    until: until && momentIn(dayAfter(until, 1)),
  };
}

const option = ([value, text]) => h("option", { value }, text);

const actorSelect = (users) =>
  h(
    "select",
    { name: "actor" },
    option(["", t("admin.audit.anybody")]),
    h(
      "optgroup",
      { label: t("admin.audit.kinds") },
      KINDS.map((kind) => option([kind, t(`admin.audit.kind.${kind}`)])),
    ),
    h(
      "optgroup",
      { label: t("admin.audit.persons") },
      users.map((user) => option([`user:${user.id}`, `${user.display_name} (${user.name})`])),
    ),
  );

const actionSelect = () =>
  h(
    "select",
    { name: "action" },
    option(["", t("admin.audit.anything")]),
    Object.entries(ACTIONS).map(([group, actions]) =>
      h(
        "optgroup",
        { label: t(`admin.audit.group.${group}`) },
        actions.map((action) => option([action, actionName(action)])),
      ),
    ),
  );
