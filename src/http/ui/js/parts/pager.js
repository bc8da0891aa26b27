// The way through the pages of a list.

import { h } from "../dom.js";
import { number, t } from "../text.js";
import { button } from "./button.js";

/**
 * @param {{page: number, per_page: number, total: number}} list as the service answers it
 * @param {(page: number) => void} go shows another page
 */
export function pager({ page, per_page: perPage, total }, go) {
  const pages = Math.max(1, Math.ceil(total / perPage));
  const count = h("p", { class: "small quiet" }, t("state.total", { count: total }));
  if (pages === 1) return h("div", { class: "pager" }, count);
  return h(
    "nav",
    { class: "pager", "aria-label": t("pager.label") },
    button(t("action.previous"), () => go(page - 1), { disabled: page <= 1 }),
    h(
      "div",
      { class: "pager-where" },
      h("p", {}, t("state.page", { page: number(page), pages: number(pages) })),
      count,
    ),
    button(t("action.next"), () => go(page + 1), { disabled: page >= pages }),
  );
}
