// The top of every screen of the administration: the way back, its name, what can be done.

import { h } from "../../dom.js";
import { backLink } from "../../parts/button.js";
import { t } from "../../text.js";

export const head = (title, ...actions) => [
  backLink(t("admin.back"), "#/admin"),
  h("div", { class: "head" }, h("h1", {}, title), actions.length > 0 && h("div", { class: "head-actions" }, actions)),
];
