// The timetable of a class: a week as planned, registers that were not taken, and the slots, which administrators edit.

import * as api from "../../api.js";
import { h } from "../../dom.js";
import { button } from "../../parts/button.js";
import { confirmed } from "../../parts/dialog.js";
import { ask, field, input, select } from "../../parts/form.js";
import { load, placeFor } from "../../parts/load.js";
import { table } from "../../parts/table.js";
import { say } from "../../parts/toast.js";
import { dayAfter, dayIn, dayOf, mondayOf, t, today } from "../../text.js";
import { isAdmin } from "../../viewer.js";
import { notTaken, notTakenList, plannedRow } from "../planned.js";

const WEEKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
/** Registers not taken are looked for so many days back. */
const BACK_DAYS = 60;

export function timetableTab(context) {
  const [week, missing, slots] = [placeFor(), placeFor(), placeFor()];
  const name = h("strong", { class: "week-name", "aria-live": "polite" });
  let monday = mondayOf(today());
  const showWeek = () => {
    name.textContent = `${dayOf(monday, "short")} – ${dayOf(dayAfter(monday, 6), "date")}`;
    load(week, () => weekPart(context, monday), { rows: 4 });
  };
  const move = (days) => {
    monday = dayAfter(monday, days);
    showWeek();
  };
  const showAll = () => {
    showWeek();
    load(missing, () => missingPart(context, missing), { rows: 2 });
    load(slots, () => slotsPart(context, showAll), { rows: 3 });
  };
  const bar = h("div", { class: "row week-bar" }, [
    button("", () => move(-7), { icon: "back", label: t("timetable.before") }),
    name,
    button("", () => move(7), { icon: "forward", label: t("timetable.after") }),
  ]);
  const section = (title, ...parts) => h("section", {}, h("h2", {}, t(`timetable.${title}`)), parts);
  showAll();
  return [section("week", bar, week), section("missing", missing), section("slots", slots)];
}

async function weekPart({ id, signal }, monday) {
  const { items } = await api.get("/planned-sessions", { from: monday, to: dayAfter(monday, 6), class_id: id }, signal);
  const days = [...new Set(items.map((lesson) => dayIn(lesson.starts_at)))].sort();
  if (days.length === 0) return h("p", { class: "quiet" }, t("timetable.emptyWeek"));
  const lessonsOf = (day) => items.filter((lesson) => dayIn(lesson.starts_at) === day);
  return h(
    "div",
    { class: "week" },
    days.map((day) =>
      h(
        "div",
        {},
        h("h3", {}, dayOf(day, "day")),
        h(
          "ul",
          { class: "list" },
          lessonsOf(day).map((lesson) => plannedRow(lesson, { time: true })),
        ),
      ),
    ),
  );
}

async function missingPart({ id, signal }, place, page = 1) {
  const items = await notTaken({ from: today(-BACK_DAYS), to: today(), class_id: id }, signal);
  if (items.length === 0) return h("p", { class: "quiet" }, t("timetable.noneMissing", { days: BACK_DAYS }));
  const go = (next) => load(place, () => missingPart({ id, signal }, place, next));
  return [
    h("p", { class: "small quiet bar-above" }, t("timetable.missingCount", { count: items.length, days: BACK_DAYS })),
    notTakenList(items, page, go),
  ];
}

async function slotsPart({ id, subjects, signal }, reload) {
  const { slots } = await api.get(`/classes/${id}/timetable`, {}, signal);
  const name = new Map(subjects.map((item) => [item.id, item.name]));
  const inOrder = [...slots].sort(
    (a, b) => WEEKDAYS.indexOf(a.weekday) - WEEKDAYS.indexOf(b.weekday) || a.starts_at.localeCompare(b.starts_at),
  );
  const save = async (all, text) => {
    await api.put(`/classes/${id}/timetable`, { slots: all });
    say(text);
    reload();
  };
  const without = (slot) => slots.filter((other) => other !== slot);
  const add = () =>
    askSlot(t("timetable.addSlot"), {}, subjects, (slot) => save([...slots, slot], t("timetable.saved")));
  const change = (slot) =>
    askSlot(t("timetable.changeSlot"), slot, subjects, (changed) =>
      save([...without(slot), changed], t("timetable.saved")),
    );
  const remove = (slot) => save(without(slot), t("timetable.removed"));
  return [
    table({
      caption: t("timetable.slots"),
      empty: t(isAdmin() ? "timetable.noSlotsAdmin" : "timetable.noSlots"),
      rows: inOrder,
      columns: [
        { title: t("timetable.weekday"), head: true, cell: (slot) => t(`weekday.${slot.weekday}`) },
        {
          title: t("timetable.time"),
          cell: (slot) => t("timetable.timeOf", { at: slot.starts_at.slice(0, 5), minutes: slot.minutes }),
        },
        {
          title: t("sessions.subject"),
          cell: (slot) => name.get(slot.subject_id) ?? h("span", { class: "quiet" }, t("take.noSubject")),
        },
        { title: t("timetable.valid"), wide: true, cell: validOf },
        isAdmin() && {
          title: t("action.change"),
          quiet: true,
          cell: (slot) => {
            const what = `${t(`weekday.${slot.weekday}`)} ${slot.starts_at.slice(0, 5)}`;
            return h("div", { class: "cell-actions" }, [
              button(t("action.change"), () => change(slot), {
                kind: "plain",
                label: t("timetable.changeOf", { what }),
              }),
              button("", () => confirmRemove(what, () => remove(slot)), {
                icon: "trash",
                kind: "plain",
                label: t("timetable.removeOf", { what }),
              }),
            ]);
          },
        },
      ],
    }),
    isAdmin() && h("div", { class: "row block" }, button(t("timetable.addSlot"), add, { icon: "plus" })),
  ];
}

async function confirmRemove(what, remove) {
  if (await confirmed(t("timetable.removeOf", { what }), t("timetable.removeText"), t("action.remove"))) await remove();
}

const validOf = (slot) =>
  slot.valid_to
    ? t("timetable.fromTo", { from: dayOf(slot.valid_from, "date"), to: dayOf(slot.valid_to, "date") })
    : t("timetable.from", { from: dayOf(slot.valid_from, "date") });

const askSlot = (title, slot, subjects, send) =>
  ask({
    title,
    text: t("timetable.slotHint"),
    fields: [
      field(
        t("timetable.weekday"),
        select(
          "weekday",
          WEEKDAYS.map((day) => [day, t(`weekday.${day}`)]),
          slot.weekday ?? "monday",
        ),
      ),
      h(
        "div",
        { class: "take-what" },
        field(
          t("timetable.startsAt"),
          input("starts_at", { type: "time", required: true, value: slot.starts_at?.slice(0, 5) ?? "09:00" }),
        ),
        field(
          t("timetable.minutes"),
          input("minutes", {
            type: "number",
            min: 1,
            max: 1440,
            required: true,
            value: slot.minutes ?? 50,
            inputmode: "numeric",
          }),
        ),
      ),
      subjects.length > 0 &&
        field(
          t("sessions.subject"),
          select(
            "subject_id",
            [["", t("take.noSubject")], ...subjects.map((item) => [item.id, item.name])],
            slot.subject_id,
          ),
        ),
      h(
        "div",
        { class: "take-what" },
        field(
          t("timetable.validFrom"),
          input("valid_from", { type: "date", required: true, value: slot.valid_from ?? today() }),
        ),
        field(
          t("timetable.validTo"),
          input("valid_to", { type: "date", value: slot.valid_to }),
          t("timetable.validToHint"),
        ),
      ),
    ],
    send: (said) =>
      send({
        weekday: said.weekday,
        starts_at: said.starts_at,
        minutes: Number(said.minutes),
        subject_id: said.subject_id ? Number(said.subject_id) : null,
        valid_from: said.valid_from,
        valid_to: said.valid_to,
      }),
  });
