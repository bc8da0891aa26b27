// Signing in.

import * as api from "../api.js";
import { h } from "../dom.js";
import { field, form, input } from "../parts/form.js";
import { t } from "../text.js";

export function signInScreen(done, message) {
  return h(
    "main",
    { class: "sign-in" },
    h("img", { src: "/ui/icon.svg", alt: "", width: 56, height: 56 }),
    h("h1", {}, t("signIn.title")),
    message && h("p", { class: "notice", role: "status" }, message),
    form(
      [
        field(t("signIn.name"), input("name", { autocomplete: "username", autocapitalize: "none", spellcheck: "false", required: true })),
        field(t("signIn.password"), input("password", { type: "password", autocomplete: "current-password", required: true })),
        field(t("signIn.stay"), input("stay", { type: "checkbox" }), t("signIn.stayHint")),
      ],
      t("signIn.action"),
      async ({ name, password, stay }) => {
        await api.signIn(name, password, stay);
        await done();
      },
    ),
  );
}
