// How far something is, in a bar and in words.

import { h } from "../../dom.js";

/** @param {number|null} share 0 to 1; null while nobody knows */
export const progressBar = (share, text) =>
  h(
    "div",
    { class: "progress" },
    h(
      "div",
      {
        class: `bar-track ${share === null ? "bar-open" : ""}`,
        role: "progressbar",
        "aria-label": text,
        "aria-valuemin": 0,
        "aria-valuemax": 100,
        "aria-valuenow": share === null ? null : Math.round(share * 100),
      },
      h("div", { class: "bar-fill", css: { "--share": share === null ? "30%" : `${Math.round(share * 100)}%` } }),
    ),
    h("p", { class: "small quiet" }, text),
  );
