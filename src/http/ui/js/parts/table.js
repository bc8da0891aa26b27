// Tables: a caption that screen readers read, headings of columns and rows, words where there is nothing.

import { h } from "../dom.js";

/**
 * @typedef {object} Column
 * @property {string} title
 * @property {(row: any, i: number) => any} cell what stands there: text or nodes
 * @property {boolean} [number] to the right, digits below each other
 * @property {boolean} [head] names its row
 * @property {boolean} [wide] left out on a phone
 * @property {boolean} [quiet] its title is for screen readers only, as over buttons
 */

/**
 * @param {{caption: string, columns: Array<Column|false|null>, rows: any[], empty?: string|Node, showCaption?: boolean}} what
 *   columns that are false or null are left out
 */
export function table({ caption, columns, rows, empty = null, showCaption = false }) {
  const shown = columns.filter(Boolean);
  if (rows.length === 0 && empty) return typeof empty === "string" ? h("p", { class: "quiet" }, empty) : empty;
  return scrollable(
    caption,
    h(
      "table",
      { class: "table" },
      h("caption", { class: showCaption ? null : "visually-hidden" }, caption),
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          shown.map((column) => heading(column)),
        ),
      ),
      h(
        "tbody",
        {},
        rows.map((row, i) =>
          h(
            "tr",
            {},
            shown.map((column) => cell(column, row, i)),
          ),
        ),
      ),
    ),
  );
}

/** A frame that scrolls to the side where its content is wider, with the keyboard too. */
export function scrollable(label, content, className = "") {
  const frame = h("div", { class: `table-frame ${className}` }, content);
  const watch = new ResizeObserver(() => {
    if (!frame.isConnected) return watch.disconnect();
    const scrolls = frame.scrollWidth > frame.clientWidth + 1 || frame.scrollHeight > frame.clientHeight + 1;
    if (!scrolls) return ["tabindex", "role", "aria-label"].forEach((name) => frame.removeAttribute(name));
    frame.setAttribute("tabindex", "0");
    frame.setAttribute("role", "region");
    frame.setAttribute("aria-label", label);
  });
  watch.observe(frame);
  watch.observe(content);
  return frame;
}

const heading = (column) =>
  h(
    "th",
    { scope: "col", class: classOf(column) },
    column.quiet ? h("span", { class: "visually-hidden" }, column.title) : column.title,
  );

const cell = (column, row, i) =>
  h(column.head ? "th" : "td", { scope: column.head ? "row" : null, class: classOf(column) }, column.cell(row, i));

const classOf = ({ number, wide }) => [number && "number", wide && "wide-only"].filter(Boolean).join(" ") || null;
