// From one day to another: usual ranges to choose, and two days of one's own.

import { dayAfter, t, today } from "../text.js";
import { field, input, select } from "./form.js";

const isDay = (text) => /^\d{4}-\d{2}-\d{2}$/.test(text ?? "");

/** First and last day of a month, so many months from this one. */
function month(offset) {
  const [year, now] = today().split("-").map(Number);
  const first = (months) => new Date(Date.UTC(year, now - 1 + months, 1)).toISOString().slice(0, 10);
  return { from: first(offset), to: dayAfter(first(offset + 1), -1) };
}

const PRESETS = {
  week: () => ({ from: today(-6), to: today() }),
  days30: () => ({ from: today(-29), to: today() }),
  thisMonth: () => month(0),
  lastMonth: () => month(-1),
  days90: () => ({ from: today(-89), to: today() }),
  year: () => ({ from: today(-364), to: today() }),
  // Of leave, which is also to come.
  leave: () => ({ from: today(-14), to: today(60) }),
};

/** The range of an address, or a usual one. */
export function rangeOf(query, usual = "days30") {
  const [from, to] = [query.get("from"), query.get("to")];
  return isDay(from) && isDay(to) && from <= to ? { from, to } : PRESETS[usual]();
}

/**
 * Fields for a range.
 *
 * @param {{from: string, to: string}} range
 * @param {(range: {from: string, to: string}) => void} onChange told when both days are there and in order
 */
export function rangeFields(range, onChange) {
  const from = input("from", { type: "date", value: range.from, required: true });
  const to = input("to", { type: "date", value: range.to, required: true });
  const preset = select(
    "range",
    [["", t("range.own")], ...offered(range).map((name) => [name, t(`range.${name}`)])],
    nameOf(range),
  );
  const days = [field(t("range.from"), from), field(t("range.to"), to)];
  // A phone shows the two days only where they are not usual ones.
  const fold = () => days.forEach((element) => element.classList.toggle("range-usual", preset.value !== ""));
  const order = () => to.setCustomValidity(from.value && to.value && from.value > to.value ? t("range.order") : "");
  const tell = () => {
    order();
    preset.value = nameOf({ from: from.value, to: to.value });
    if (preset.value === "") fold();
    if (from.value && to.reportValidity()) onChange({ from: from.value, to: to.value });
  };
  preset.addEventListener("change", () => {
    fold();
    if (preset.value === "") return from.focus();
    const chosen = PRESETS[preset.value]();
    [from.value, to.value] = [chosen.from, chosen.to];
    order();
    onChange(chosen);
  });
  from.addEventListener("change", tell);
  to.addEventListener("change", tell);
  fold();
  return [field(t("range.label"), preset), ...days];
}

/** The usual ones; the one of leave only where it was begun with. */
const offered = (range) => Object.keys(PRESETS).filter((name) => name !== "leave" || range.to > today());

const nameOf = (range) =>
  Object.keys(PRESETS).find((name) => {
    const { from, to } = PRESETS[name]();
    return from === range.from && to === range.to;
  }) ?? "";
