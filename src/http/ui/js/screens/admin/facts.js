// Names and values below each other.

import { h } from "../../dom.js";

/** @param {Array<[string, any]|false|null>} pairs those without a value are left out */
export const facts = (pairs) =>
  h(
    "dl",
    { class: "facts" },
    pairs
      .filter((pair) => pair && pair[1] !== null && pair[1] !== undefined && pair[1] !== "")
      .map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]),
  );
