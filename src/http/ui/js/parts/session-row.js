// How a session stands, in one word.

import { h } from "../dom.js";
import { t } from "../text.js";

const KIND = { open: "", review: "tag-warn", confirmed: "tag-good" };

export const sessionTag = (session) => [
  session.pilot && h("span", { class: "tag" }, t("session.pilot")),
  h("span", { class: `tag ${KIND[session.state]}` }, t(`session.state.${session.state}`)),
];
