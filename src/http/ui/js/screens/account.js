// The person at the screen: who they are here, their password, light or dark, the way out.

import * as api from "../api.js";
import { h } from "../dom.js";
import { button } from "../parts/button.js";
import { field, form, input, segments } from "../parts/form.js";
import { applyTheme, theme } from "../parts/theme.js";
import { say } from "../parts/toast.js";
import { refresh, to } from "../router.js";
import * as school from "../school.js";
import { t } from "../text.js";
import { leave, me } from "../viewer.js";

const LEAST_LETTERS = 10;

export async function show() {
  const viewer = me();
  const classes = viewer.class_ids
    ? (await school.classes()).filter((item) => viewer.class_ids.includes(item.id))
    : null;
  const title = t("account.title");
  return {
    title,
    body: [
      h("div", { class: "head" }, h("h1", {}, title), button(t("nav.signOut"), leave, { icon: "out" })),
      h(
        "div",
        { class: "narrow" },
        h(
          "section",
          { class: "card" },
          h("h2", {}, t("account.who")),
          h(
            "dl",
            { class: "facts" },
            h("dt", {}, t("account.name")),
            h("dd", {}, viewer.name),
            h("dt", {}, t("account.role")),
            h("dd", {}, t(`role.${viewer.role}`), h("p", { class: "small quiet" }, t(`account.may.${viewer.role}`))),
            h("dt", {}, t("account.classes")),
            h("dd", {}, classes === null ? t("account.allClasses") : classList(classes)),
          ),
        ),
        h("section", { class: "card" }, h("h2", {}, t("account.look")), themes()),
        h("section", { class: "card" }, h("h2", {}, t("account.password")), passwordForm(viewer)),
      ),
    ],
  };
}

const classList = (classes) =>
  classes.length === 0
    ? t("today.noClassesTeacher")
    : h(
        "ul",
        { class: "links" },
        classes.map((item) => h("li", {}, h("a", { href: to(`/classes/${item.id}`) }, school.className(item)))),
      );

const themes = () =>
  segments(
    t("account.look"),
    "theme",
    ["system", "light", "dark"].map((name) => [name, t(`account.theme.${name}`)]),
    theme(),
    applyTheme,
  );

function passwordForm(viewer) {
  const password = (name, autocomplete, more) =>
    input(name, { type: "password", autocomplete, required: true, ...more });
  const again = password("again", "new-password");
  const fresh = password("new", "new-password", { minlength: LEAST_LETTERS });
  const same = () => again.setCustomValidity(again.value === fresh.value ? "" : t("account.notSame"));
  fresh.addEventListener("input", same);
  again.addEventListener("input", same);
  return form(
    [
      // For programs that keep passwords.
      h("input", {
        type: "text",
        autocomplete: "username",
        value: viewer.name,
        hidden: true,
        "aria-hidden": "true",
        tabindex: "-1",
      }),
      field(t("account.old"), password("old", "current-password")),
      field(t("account.new"), fresh, t("account.newHint", { count: LEAST_LETTERS })),
      field(t("account.again"), again),
    ],
    t("account.change"),
    async ({ old, new: chosen }) => {
      try {
        await api.changePassword(old, chosen);
      } catch (error) {
        if (error.code === "INVALID_CREDENTIALS") throw new Error(t("account.wrong"), { cause: error });
        throw error;
      }
      say(t("account.changed"));
      refresh();
    },
  );
}
