// What the page says, in the reader's language. All of it lies in strings/<language>/.

import english from "./strings/en/index.js";

/** Languages there are; another one is another folder in strings/ and a line here. */
const LANGUAGES = { en: english };

export const language = navigator.languages.map((tag) => tag.split("-")[0]).find((tag) => tag in LANGUAGES) ?? "en";
const strings = LANGUAGES[language];
/** Numbers and dates as the reader's country writes them. */
const locale = navigator.languages.find((tag) => tag.split("-")[0] === language) ?? language;
const plural = new Intl.PluralRules(language);

/**
 * The text of a key such as `take.send`, with `{name}` replaced by `values.name`.
 * A text that depends on a number is an object of plural forms, chosen by `values.count`.
 */
export function t(key, values = {}) {
  let text = key.split(".").reduce((part, name) => part?.[name], strings);
  if (typeof text === "object") text = text[plural.select(values.count)] ?? text.other;
  if (text === undefined) throw new Error(`no text for ${key}`);
  return text.replace(/\{(\w+)\}/g, (_, name) => shown(values[name]));
}

/** Whether there is a text of this key. */
export const has = (key) => key.split(".").reduce((part, name) => part?.[name], strings) !== undefined;

const shown = (value) => (typeof value === "number" ? number(value) : (value ?? ""));

/** A number as people write it here. */
export const number = (value, digits = 0) =>
  new Intl.NumberFormat(locale, { maximumFractionDigits: digits }).format(value);

/** A share of 0 to 1, in percent; a dash where there is none. */
export const percent = (share) =>
  share === null || share === undefined
    ? "–"
    : new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: 0 }).format(share);

/** A percentage as the service gives it, 0 to 100. */
export const ofHundred = (value) => percent(value === null || value === undefined ? null : value / 100);

/** How sure a machine is, 0 to 1. It is never certain. */
export const sure = (share) => (share > 0.99 ? `> ${percent(0.99)}` : percent(share));

const formats = {
  time: { hour: "2-digit", minute: "2-digit" },
  short: { day: "numeric", month: "short" },
  day: { weekday: "short", day: "numeric", month: "short" },
  date: { day: "numeric", month: "short", year: "numeric" },
  moment: { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" },
  month: { month: "long", year: "numeric" },
};

/** A moment: `kind` is time, short, day, date, moment or month. */
export function when(moment, kind = "moment") {
  return new Intl.DateTimeFormat(locale, formats[kind]).format(moment instanceof Date ? moment : new Date(moment));
}

/** A day `YYYY-MM-DD` of the calendar, which no time zone moves. */
export function dayOf(text, kind = "day") {
  return new Intl.DateTimeFormat(locale, { ...formats[kind], timeZone: "UTC" }).format(new Date(`${text}T00:00:00Z`));
}

/** The day of a moment, here, as `YYYY-MM-DD`. */
export function dayIn(moment) {
  const at = new Date(moment);
  return [at.getFullYear(), at.getMonth() + 1, at.getDate()].map((part) => String(part).padStart(2, "0")).join("-");
}

/** Today, or so many days after it, as `YYYY-MM-DD`. */
export function today(offsetDays = 0) {
  const now = new Date();
  return dayIn(now.setDate(now.getDate() + offsetDays));
}

export const bytes = (count) =>
  count < 1e6 ? `${number(Math.max(1, count / 1e3))} kB` : `${number(count / 1e6, 1)} MB`;
