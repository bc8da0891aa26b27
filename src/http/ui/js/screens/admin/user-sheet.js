// One user: what is known, and what can be done.

import * as api from "../../api.js";
import { h } from "../../dom.js";
import { button, linkButton } from "../../parts/button.js";
import * as dialog from "../../parts/dialog.js";
import { icon } from "../../parts/icon.js";
import { say } from "../../parts/toast.js";
import * as school from "../../school.js";
import { t, when } from "../../text.js";
import { me } from "../../viewer.js";
import { isLocked } from "./attention.js";
import { facts } from "./facts.js";
import { changeUser, givePassword } from "./user-forms.js";

/** @param {() => any} after called when the user was changed */
export function openUser(user, after) {
  const self = user.id === me().id;
  const then = (act) => () => {
    sheet.close();
    return act();
  };
  const actions = [
    button(
      t("admin.users.change"),
      then(() => changeUser(user, after)),
      { icon: "gear" },
    ),
    self
      ? linkButton(t("admin.users.ownPassword"), "#/account", { icon: "shield" })
      : button(
          t("admin.users.newPassword"),
          then(() => givePassword(user, after)),
          { icon: "shield" },
        ),
    !self &&
      user.active &&
      button(
        t("admin.users.deactivate"),
        then(() => deactivate(user, after)),
        { kind: "danger" },
      ),
    !self &&
      !user.active &&
      button(
        t("admin.users.activate"),
        then(() => activate(user, after)),
        { kind: "primary" },
      ),
  ].filter(Boolean);
  const sheet = dialog.open({
    title: user.display_name,
    body: [
      isLocked(user) && h("p", { class: "notice notice-warn" }, icon("alert"), t("admin.users.lockedText")),
      facts([
        [t("admin.users.facts.name"), user.name],
        [t("admin.users.facts.role"), `${t(`role.${user.role}`)}: ${t(`admin.users.roleText.${user.role}`)}`],
        user.role === "teacher" && [t("admin.users.facts.classes"), classLinks(user)],
        [t("admin.users.facts.state"), stateOf(user)],
        [t("admin.users.facts.password"), when(user.password_changed_at, "date")],
        [t("admin.users.facts.since"), when(user.created_at, "date")],
      ]),
    ].filter(Boolean),
    actions,
  });
}

const classLinks = ({ classes }) =>
  classes.length === 0
    ? t("admin.users.noClasses")
    : h(
        "ul",
        { class: "row" },
        classes.map((item) =>
          h("li", {}, h("a", { href: `#/classes/${item.id}` }, school.nameInTerm(item))),
        ),
      );

const stateOf = (user) =>
  !user.active
    ? t("admin.users.state.inactive")
    : isLocked(user)
      ? t("admin.users.state.locked", { time: when(user.locked_until, "time") })
      : t("admin.users.state.active");

async function deactivate(user, after) {
  const { display_name: name } = user;
  if (
    !(await dialog.confirmed(
      t("admin.users.deactivateTitle", { name }),
      t("admin.users.deactivateText", { name }),
      t("admin.users.deactivate"),
    ))
  )
    return;
  await patched(user, { active: false }, t("admin.users.deactivated", { name }), after);
}

const activate = (user, after) =>
  patched(user, { active: true }, t("admin.users.activated", { name: user.display_name }), after);

async function patched(user, change, text, after) {
  await api.patch(`/users/${user.id}`, change);
  say(text);
  after();
}
