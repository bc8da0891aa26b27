// Adding and changing users, and new passwords for them.

import * as api from "../../api.js";
import { h } from "../../dom.js";
import { ask, field, input, select } from "../../parts/form.js";
import { say } from "../../parts/toast.js";
import * as school from "../../school.js";
import { t } from "../../text.js";
import { me } from "../../viewer.js";
import { classChoice } from "./class-choice.js";
import { passwordField, showOnce } from "./once.js";

export const ROLES = ["admin", "teacher", "viewer"];

/** @param {() => any} after called when somebody was added */
export async function addUser(after) {
  const role = roleFields("teacher", [], await school.classes());
  const user = await ask({
    title: t("admin.users.add"),
    action: t("admin.users.add"),
    fields: [
      field(
        t("admin.users.displayName"),
        input("display_name", { maxlength: 100, autofocus: true }),
        t("admin.users.displayNameHint"),
      ),
      field(
        t("admin.users.name"),
        input("name", {
          required: true,
          maxlength: 64,
          pattern: "[\\w.@+\\-]+",
          autocapitalize: "none",
          spellcheck: "false",
        }),
        t("admin.users.nameHint"),
      ),
      role.fields,
      passwordField(),
    ],
    send: async (said) => {
      const { name, display_name, password } = said;
      const made = await api.post("/users", {
        name,
        display_name,
        password,
        role: said.role,
        class_ids: role.classIds(said.role),
      });
      return { ...made, password };
    },
  });
  if (!user) return;
  after();
  await showPassword(user, user.password);
  say(t("admin.users.added", { name: user.display_name }));
}

export async function changeUser(user, after) {
  const self = user.id === me().id;
  const role = roleFields(
    user.role,
    user.classes.map((item) => item.id),
    await school.classes(),
    self,
  );
  const changed = await ask({
    title: t("admin.users.changeTitle", { name: user.display_name }),
    fields: [
      field(
        t("admin.users.displayName"),
        input("display_name", { value: user.display_name, required: true, maxlength: 100 }),
      ),
      role.fields,
    ],
    send: (said) =>
      api.patch(`/users/${user.id}`, {
        display_name: said.display_name,
        role: self ? undefined : said.role,
        class_ids: self ? undefined : role.classIds(said.role),
      }),
  });
  if (!changed) return;
  say(t("admin.users.changed", { name: changed.display_name }));
  after();
}

export async function givePassword(user, after) {
  const password = await ask({
    title: t("admin.users.newPasswordTitle", { name: user.display_name }),
    text: t("admin.users.newPasswordText", { name: user.display_name }),
    action: t("admin.users.setPassword"),
    fields: [passwordField()],
    send: async (said) => {
      await api.put(`/users/${user.id}/password`, { password: said.password });
      return said.password;
    },
  });
  if (!password) return;
  after();
  await showPassword(user, password);
  say(t("admin.users.passwordSet", { name: user.display_name }));
}

const showPassword = (user, secret) =>
  showOnce({
    title: t("admin.users.onceTitle", { name: user.display_name }),
    text: t("admin.users.onceText", { name: user.display_name }),
    label: t("admin.users.once"),
    secret,
    done: t("admin.users.onceDone"),
    copyLabel: t("admin.users.copyAction"),
    more: h("p", {}, `${t("admin.users.name")}: `, h("strong", {}, user.name)),
  });

/** The role, what it may, and a teacher's classes. Nobody takes the role from themselves. */
function roleFields(chosen, ids, classes, fixed = false) {
  const choice = classChoice(classes, ids);
  const role = select(
    "role",
    ROLES.map((name) => [name, t(`role.${name}`)]),
    chosen,
    { disabled: fixed },
  );
  const row = field(t("admin.users.role"), role, t(`admin.users.roleText.${chosen}`));
  const follow = () => {
    row.querySelector(".hint").textContent = t(`admin.users.roleText.${role.value}`);
    choice.element.hidden = role.value !== "teacher";
  };
  role.addEventListener("change", follow);
  follow();
  return { fields: [row, choice.element], classIds: (name) => (name === "teacher" ? choice.ids() : undefined) };
}
