// Days without attendance: of the whole school, or of one class.

import * as api from "../../api.js";
import { h, replace } from "../../dom.js";
import { button } from "../../parts/button.js";
import { confirmed } from "../../parts/dialog.js";
import { ask, field, input, segments, select } from "../../parts/form.js";
import { empty, failure, skeleton } from "../../parts/states.js";
import { say } from "../../parts/toast.js";
import { note } from "../../router.js";
import * as school from "../../school.js";
import { dayOf, t, today } from "../../text.js";

/** So far the list looks, days. */
const FAR = 800;
const DAY_MS = 24 * 60 * 60 * 1000;

export async function holidaysPart({ query, signal }) {
  const classes = await school.classes();
  const place = h("div", { class: "listing" }, skeleton(3));
  let which = query.get("which") === "past" ? "past" : "coming";
  const load = async () => {
    const range = which === "past" ? { from: today(-FAR), to: today(-1) } : { from: today(), to: today(FAR) };
    const asked = which;
    try {
      const { items } = await api.get("/holidays", range, signal);
      if (asked !== which) return;
      const order = which === "past" ? -1 : 1;
      const sorted = [...items].sort((a, b) => order * a.from.localeCompare(b.from));
      replace(
        place,
        sorted.length === 0
          ? none(which)
          : h(
              "ul",
              { class: "list" },
              sorted.map((holiday) => holidayRow(holiday, classes, load)),
            ),
      );
    } catch (error) {
      if (error instanceof api.SignedOut) throw error;
      if (error.name !== "AbortError") replace(place, failure(error, load));
    }
  };
  const choose = (value) => {
    which = value;
    note({ which });
    replace(place, skeleton(3));
    load();
  };
  load();
  const options = ["coming", "past"].map((value) => [value, t(`admin.settings.${value}`)]);
  return [
    h("p", { class: "quiet admin-intro" }, t("admin.settings.holidaysText")),
    h(
      "div",
      { class: "head" },
      segments(t("admin.settings.which"), "which", options, which, choose),
      button(t("admin.settings.addHoliday"), () => addHoliday(classes, load), { kind: "primary", icon: "plus" }),
    ),
    place,
  ];
}

const none = (which) => empty(t(which === "past" ? "admin.settings.noPast" : "admin.settings.noComing"));

function holidayRow(holiday, classes, after) {
  const { name } = holiday;
  const found = classes.find((item) => item.id === holiday.class_id);
  const count = Math.round((Date.parse(holiday.to) - Date.parse(holiday.from)) / DAY_MS) + 1;
  const remove = async () => {
    if (
      !(await confirmed(
        t("admin.settings.deleteThis", { name }),
        t("admin.settings.deleteHolidayText"),
        t("action.delete"),
      ))
    )
      return;
    await api.remove(`/holidays/${holiday.holiday_id}`);
    say(t("admin.settings.deleted", { name }));
    await after();
  };
  return h(
    "li",
    { class: "list-item" },
    h(
      "span",
      { class: "grow" },
      h("strong", {}, name),
      h(
        "span",
        { class: "small quiet below" },
        `${rangeOf(holiday)} · ${t("admin.settings.days", { count })} · ${found ? school.className(found) : t("admin.settings.wholeSchool")}`,
      ),
    ),
    button("", remove, { icon: "trash", kind: "plain", label: t("admin.settings.deleteLabel", { name }) }),
  );
}

const rangeOf = ({ from, to }) =>
  from === to ? dayOf(from, "date") : t("admin.settings.range", { from: dayOf(from, "date"), to: dayOf(to, "date") });

async function addHoliday(classes, after) {
  const first = input("from", { type: "date", required: true });
  const last = input("to", { type: "date", required: true });
  let own = false;
  last.addEventListener("input", () => (own = true));
  // Most holidays are one day.
  first.addEventListener("input", () => {
    last.min = first.value;
    if (!own || last.value < first.value) last.value = first.value;
  });
  const made = await ask({
    title: t("admin.settings.addHoliday"),
    action: t("action.add"),
    fields: [
      field(t("admin.settings.holidayName"), input("name", { required: true, maxlength: 100, autofocus: true })),
      h(
        "div",
        { class: "take-what" },
        field(t("admin.settings.first"), first),
        field(t("admin.settings.last"), last, t("admin.settings.lastHint")),
      ),
      field(
        t("admin.settings.whom"),
        select("class_id", [
          ["", t("admin.settings.wholeSchool")],
          ...classes.map((item) => [item.id, school.nameInTerm(item)]),
        ]),
      ),
    ],
    send: async ({ from, to, name, class_id: id }) => {
      if (to < from) throw new Error(t("admin.settings.wrongOrder"));
      await api.post("/holidays", { from, to, name, class_id: id === null ? null : Number(id) });
      return name;
    },
  });
  if (!made) return;
  say(t("admin.settings.holidayAdded", { name: made }));
  await after();
}
