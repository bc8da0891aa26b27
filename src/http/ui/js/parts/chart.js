// Charts: drawn as SVG in the width that there is, with all their figures in a table below.

import { fill, freshId, h, svg } from "../dom.js";
import { number, t } from "../text.js";
import { table } from "./table.js";

const HEIGHT_PX = 220;
const FOOT_PX = 26;
const TOP_PX = 12;
/** Room for one label below, and for the figures at the side. */
const LABEL_PX = 72;
const SIDE_PX = 46;
const LETTER_PX = 7;

/**
 * @typedef {object} Series
 * @property {string} name
 * @property {Array<number|null>} values one for each label; null where there is none
 * @property {string} [colour] `#rrggbb`; otherwise one of the page
 *
 * @typedef {object} ChartOptions
 * @property {string} title
 * @property {"line"|"bars"|"stack"} [kind] bars beside each other, or one on top of the other
 * @property {string} first what the labels are, heading of the table's first column
 * @property {string[]} labels
 * @property {Series[]} series
 * @property {(value: number) => string} [format]
 * @property {number} [most] the upper end; otherwise it fits the values
 * @property {string} [empty] words where there is no value at all
 * @property {string} [hint] a sentence below the title
 * @property {number} [level] of the title among the screen's headings
 */

/** @param {ChartOptions} options */
export function chart(options) {
  const { title, labels, series, first, format = number, hint, level = 3, empty = t("chart.empty") } = options;
  const id = freshId("chart");
  const head = [h(`h${level}`, { id, class: "chart-title" }, title), hint && h("p", { class: "small quiet" }, hint)];
  const some = series.some(({ values }) => values.some((value) => value !== null && value !== undefined));
  if (!some)
    return h(
      "section",
      { class: "card chart-card", "aria-labelledby": id },
      head,
      h("p", { class: "chart-none quiet" }, empty),
    );
  const place = h("div", { class: "chart-place", role: "img", "aria-label": summary(options, format) });
  let drawn = 0;
  const watch = new ResizeObserver(() => {
    if (!place.isConnected) return watch.disconnect();
    const width = Math.round(place.clientWidth);
    if (width === 0 || width === drawn) return;
    drawn = width;
    fill(place, draw({ ...options, format }, width));
  });
  watch.observe(place);
  return h(
    "section",
    { class: "card chart-card", "aria-labelledby": id },
    head,
    series.length > 1 && legend(series),
    place,
    h(
      "details",
      {},
      h("summary", {}, t("chart.table")),
      table({
        caption: title,
        columns: [
          { title: first, head: true, cell: (label) => label },
          ...series.map(({ name, values }) => ({
            title: name,
            number: true,
            cell: (_, i) => shown(values[i], format),
          })),
        ],
        rows: labels,
      }),
    ),
  );
}

const shown = (value, format) => (value === null || value === undefined ? "–" : format(value));

/** What a screen reader says in place of the drawing: each series with its first, lowest, highest and last value. */
function summary({ title, labels, series }, format) {
  const parts = series.map(({ name, values }) => {
    const known = values
      .map((value, i) => ({ value, label: labels[i] }))
      .filter(({ value }) => value !== null && value !== undefined);
    if (known.length === 0) return t("chart.nothing", { name });
    const least = known.reduce((a, b) => (b.value < a.value ? b : a));
    const greatest = known.reduce((a, b) => (b.value > a.value ? b : a));
    const last = known.at(-1);
    return t("chart.summary", {
      name,
      least: format(least.value),
      leastAt: least.label,
      most: format(greatest.value),
      mostAt: greatest.label,
      last: format(last.value),
      lastAt: last.label,
    });
  });
  return [`${title}.`, ...parts].join(" ");
}

const legend = (series) =>
  h(
    "ul",
    { class: "legend chart-legend" },
    series.map(({ name, colour }, i) => h("li", { class: `series-${i % 5}`, css: colourOf(colour) }, name)),
  );

const colourOf = (colour) => (colour ? { "--series": colour } : {});

function draw({ kind = "line", labels, series, format, most }, width) {
  const { top, step } = scaleOf(most ?? greatestOf(kind, labels, series));
  const right = width - 8;
  const x = (i) => SIDE_PX + ((i + 0.5) * (right - SIDE_PX)) / labels.length;
  const y = (value) => HEIGHT_PX - FOOT_PX - (value / top) * (HEIGHT_PX - FOOT_PX - TOP_PX);
  const shapes = { line: lines, bars, stack: stacks }[kind];
  return svg(
    "svg",
    {
      class: "chart",
      viewBox: `0 0 ${width} ${HEIGHT_PX}`,
      width,
      height: HEIGHT_PX,
      "aria-hidden": "true",
      focusable: "false",
    },
    grid(top, step, y, right, format),
    labelsBelow(labels, x, right),
    shapes({ labels, series, x, y, format, step: (right - SIDE_PX) / labels.length }),
  );
}

function greatestOf(kind, labels, series) {
  const at = (i) => series.map(({ values }) => values[i] ?? 0);
  return Math.max(
    0,
    ...labels.map((_, i) => (kind === "stack" ? at(i).reduce((a, b) => a + b, 0) : Math.max(...at(i)))),
  );
}

/** Four steps or fewer, each 1, 2, 2.5 or 5 times a power of ten. */
function scaleOf(value) {
  if (value <= 0) return { top: 1, step: 1 };
  const raw = value / 4;
  const power = 10 ** Math.floor(Math.log10(raw));
  const factors = power >= 10 ? [1, 2, 2.5, 5, 10] : [1, 2, 5, 10];
  const step = factors.map((factor) => factor * power).find((candidate) => candidate >= raw * (1 - 1e-9));
  return { top: step * Math.ceil(value / step - 1e-9), step };
}

function grid(top, step, y, right, format) {
  return Array.from({ length: Math.round(top / step) + 1 }, (_, i) => [
    svg("line", { class: "chart-grid", x1: SIDE_PX, x2: right, y1: y(i * step), y2: y(i * step) }),
    svg("text", { x: SIDE_PX - 6, y: y(i * step) + 4, "text-anchor": "end" }, format(i * step)),
  ]);
}

/** As many labels as there is room for, the last one among them. */
function labelsBelow(labels, x, right) {
  const every = Math.max(1, Math.ceil((labels.length * LABEL_PX) / (right - SIDE_PX)));
  const letters = Math.max(4, Math.floor((((right - SIDE_PX) / labels.length) * every) / LETTER_PX));
  return labels.map((label, i) => (labels.length - 1 - i) % every === 0 && labelAt(x(i), right, cut(label, letters)));
}

/** In the middle below its value, and inside the drawing. */
const labelAt = (at, right, text) =>
  svg(
    "text",
    { x: Math.min(at, right - (text.length * LETTER_PX) / 2), y: HEIGHT_PX - 8, "text-anchor": "middle" },
    text,
  );

const cut = (text, letters) => (text.length <= letters ? text : `${text.slice(0, letters - 1)}…`);

const titleOf = (name, label, value, format) => svg("title", {}, `${label} · ${name}: ${format(value)}`);

/** A line for each series, broken where there is no value. */
function lines({ labels, series, x, y, format }) {
  return series.map(({ name, values, colour }, s) => {
    let pen = "M";
    const path = values
      .map((value, i) => {
        if (value === null || value === undefined) {
          pen = "M";
          return "";
        }
        const part = `${pen}${x(i).toFixed(1)} ${y(value).toFixed(1)}`;
        pen = "L";
        return part;
      })
      .join("");
    return svg(
      "g",
      { class: `series-${s % 5}`, css: colourOf(colour) },
      svg("path", { class: "chart-line", d: path }),
      values.map(
        (value, i) =>
          value !== null &&
          value !== undefined &&
          svg("circle", { class: "chart-dot", cx: x(i), cy: y(value), r: 4 }, titleOf(name, labels[i], value, format)),
      ),
    );
  });
}

function bars({ labels, series, x, y, format, step }) {
  const wide = Math.min(40, (step * 0.76) / series.length);
  return series.map(({ name, values, colour }, s) =>
    svg(
      "g",
      { class: `series-${s % 5}`, css: colourOf(colour) },
      values.map(
        (value, i) =>
          value > 0 &&
          bar(
            x(i) + (s - series.length / 2) * wide,
            y(value),
            wide,
            y(0) - y(value),
            titleOf(name, labels[i], value, format),
          ),
      ),
    ),
  );
}

function stacks({ labels, series, x, y, format, step }) {
  const wide = Math.min(40, step * 0.76);
  const below = labels.map(() => 0);
  return series.map(({ name, values, colour }, s) =>
    svg(
      "g",
      { class: `series-${s % 5}`, css: colourOf(colour) },
      values.map((value, i) => {
        if (!(value > 0)) return null;
        const from = below[i];
        below[i] += value;
        return bar(x(i) - wide / 2, y(below[i]), wide, y(from) - y(below[i]), titleOf(name, labels[i], value, format));
      }),
    ),
  );
}

const bar = (left, top, width, height, title) =>
  svg(
    "rect",
    { class: "chart-bar", x: left, y: top, width: Math.max(1, width - 1), height: Math.max(1, height) },
    title,
  );
