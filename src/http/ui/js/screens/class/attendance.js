// What attendance adds up to, member by member: percentages, who is low, who is away again and again.

import * as api from "../../api.js";
import { fill, h } from "../../dom.js";
import { field, input, segments } from "../../parts/form.js";
import { load, placeFor } from "../../parts/load.js";
import { empty } from "../../parts/states.js";
import { STATUSES, statusBadge } from "../../parts/status.js";
import { table } from "../../parts/table.js";
import { note, to } from "../../router.js";
import { number, ofHundred, t } from "../../text.js";
import { chosenOf, filters } from "./range.js";

const USUAL_LINE = 75;
/** So many absences one after the other are shown as too many. */
const IN_A_ROW = 3;

export function attendanceTab(context) {
  const { query } = context;
  const chosen = { ...chosenOf(context), below: lineOf(query.get("below")), who: query.get("who") ?? "all" };
  const place = placeFor();
  const show = () => load(place, () => summary(context, chosen), { rows: 10 });
  const line = input("below", {
    type: "number",
    min: 0,
    max: 100,
    step: 1,
    value: chosen.below,
    inputmode: "numeric",
  });
  line.addEventListener("change", () => {
    if (!line.reportValidity()) return;
    chosen.below = lineOf(line.value);
    query.set("below", chosen.below);
    note({ below: chosen.below });
    show();
  });
  show();
  return [filters(context, chosen, show, field(t("summary.line"), line)), place];
}

const lineOf = (text) =>
  text === null || text === "" || Number.isNaN(Number(text)) ? USUAL_LINE : Math.min(100, Math.max(0, Number(text)));

async function summary({ id, query, signal }, chosen) {
  const { from, to: until, subject, below } = chosen;
  const found = await api.get(`/classes/${id}/attendance`, { from, to: until, subject_id: subject, below }, signal);
  if (found.items.length === 0) return empty(t("summary.nobody"), t("summary.nobodyText"));
  const chosenOnes = {
    all: () => found.items,
    low: () => found.items.filter((member) => member.below).sort((a, b) => a.percent - b.percent),
    row: () =>
      found.items
        .filter((member) => member.consecutive_absences >= IN_A_ROW)
        .sort((a, b) => b.consecutive_absences - a.consecutive_absences),
  };
  if (!chosenOnes[chosen.who]) chosen.who = "all";
  const list = h("div", {});
  const showList = () => fill(list, membersTable(chosenOnes[chosen.who](), chosen));
  const choices = ["all", "low", "row"].map((who) => [
    who,
    t(`summary.${who}`, { count: chosenOnes[who]().length, line: ofHundred(below) }),
  ]);
  const choose = (who) => {
    chosen.who = who;
    query.set("who", who);
    note({ who });
    showList();
  };
  showList();
  return [
    figures(found, chosenOnes),
    h("div", { class: "block" }, segments(t("summary.who"), "who", choices, chosen.who, choose)),
    h("div", { class: "block" }, list),
    h("p", { class: "small quiet block" }, t("summary.meaning")),
  ];
}

function figures(found, { low, row }) {
  const counted = found.items.filter((member) => member.counted > 0);
  const points = counted.reduce((sum, member) => sum + member.points, 0);
  const all = counted.reduce((sum, member) => sum + member.counted, 0);
  return h(
    "dl",
    { class: "figures" },
    [
      [
        t("summary.taken"),
        found.planned > found.taken
          ? t("summary.takenOf", { taken: found.taken, planned: found.planned })
          : number(found.taken),
      ],
      [t("summary.mean"), ofHundred(all > 0 ? (100 * points) / all : null)],
      [t("summary.lowCount"), number(low().length)],
      [t("summary.rowCount"), number(row().length)],
    ].map(([name, value]) =>
      h(
        "div",
        { class: "card figure" },
        h("dt", { class: "small quiet" }, name),
        h("dd", { class: "figure-value" }, value),
      ),
    ),
  );
}

function membersTable(members, chosen) {
  return table({
    caption: t("summary.caption"),
    empty: t(chosen.who === "all" ? "summary.nobody" : "summary.nobodyLow"),
    rows: members,
    columns: [
      {
        title: t("register.student"),
        head: true,
        cell: (member) =>
          h(
            "a",
            { class: "member-link", href: to(`/students/${member.student_id}`) },
            h("span", { class: "quiet" }, member.roll_no),
            ` ${member.name}`,
          ),
      },
      { title: t("summary.percent"), number: true, cell: (member) => percentCell(member) },
      {
        title: t("summary.percentAll"),
        number: true,
        wide: true,
        cell: (member) => ofHundred(member.percent_all),
      },
      {
        title: t("summary.reachable"),
        number: true,
        wide: true,
        cell: (member) => ofHundred(member.percent_reachable),
      },
      { title: t("summary.inARow"), number: true, cell: (member) => inARow(member.consecutive_absences) },
      ...STATUSES.map((status) => ({
        title: statusBadge(status, { short: true }),
        number: true,
        wide: true,
        cell: (member) => number(member[status]),
      })),
    ],
  });
}

export const percentCell = (counters) => [
  h("span", { class: counters.below ? "bad strong" : null }, ofHundred(counters.percent)),
  counters.percent !== null &&
    h(
      "span",
      { class: `bar-track small-bar ${counters.below ? "bar-bad" : ""}`, "aria-hidden": "true" },
      h("span", { class: "bar-fill", css: { "--share": `${counters.percent}%` } }),
    ),
  counters.below && h("span", { class: "visually-hidden" }, ` ${t("summary.isLow")}`),
];

const inARow = (count) => (count >= IN_A_ROW ? h("span", { class: "tag tag-bad" }, number(count)) : number(count));
