// Who may sign in: found by name, role and state; added, changed, given new passwords, deactivated.

import * as api from "../api.js";
import { h } from "../dom.js";
import { button } from "../parts/button.js";
import { field, input, select } from "../parts/form.js";
import { empty } from "../parts/states.js";
import * as school from "../school.js";
import { t, when } from "../text.js";
import { me } from "../viewer.js";
import { isLocked } from "./admin/attention.js";
import { head } from "./admin/head.js";
import { listing } from "./admin/listing.js";
import { addUser, ROLES } from "./admin/user-forms.js";
import { openUser } from "./admin/user-sheet.js";

export async function show({ query, signal }) {
  const title = t("admin.users.title");
  const all = ["", t("admin.list.all")];
  const list = listing({
    signal,
    query,
    filters: [
      field(t("admin.users.search"), input("search", { type: "search" })),
      field(t("admin.users.role"), select("role", [all, ...ROLES.map((role) => [role, t(`role.${role}`)])])),
      field(
        t("admin.users.active"),
        select("active", [all, ["true", t("admin.users.activeOnly")], ["false", t("admin.users.inactiveOnly")]]),
      ),
    ],
    ask: (said) => api.get("/users", said, signal),
    show: (items) =>
      h(
        "ul",
        { class: "list" },
        items.map((user) => userRow(user, () => openUser(user, list.load))),
      ),
    none: () => empty(t("admin.users.none")),
  });
  const add = button(t("admin.users.add"), () => addUser(list.load), { kind: "primary", icon: "plus" });
  return { title, body: [head(title, add), list.element] };
}

const userRow = (user, open) =>
  h(
    "li",
    {},
    h(
      "button",
      { type: "button", class: "list-item user-row", on: { click: open } },
      h(
        "span",
        { class: "user-name" },
        h("strong", {}, user.display_name),
        user.id === me().id && h("span", { class: "tag" }, t("admin.users.you")),
        h("span", { class: "small quiet user-sign" }, user.name),
      ),
      h("span", { class: "user-role" }, t(`role.${user.role}`)),
      h("span", { class: "small quiet user-classes" }, classesOf(user)),
      h("span", { class: "user-state" }, stateTag(user)),
    ),
  );

/** The classes that somebody sees, the first few by name. */
function classesOf({ role, classes }) {
  if (role !== "teacher") return t("admin.users.allClasses");
  if (classes.length === 0) return t("admin.users.noClasses");
  const names = classes.map(school.className);
  return names.slice(0, 3).join(", ") + (names.length > 3 ? ` +${names.length - 3}` : "");
}

const stateTag = (user) =>
  !user.active
    ? h("span", { class: "tag tag-bad" }, t("admin.users.state.inactive"))
    : isLocked(user)
      ? h("span", { class: "tag tag-warn" }, t("admin.users.state.locked", { time: when(user.locked_until, "time") }))
      : h("span", { class: "tag tag-good" }, t("admin.users.state.active"));
