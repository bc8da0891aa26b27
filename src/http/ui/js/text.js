// What the page says, in the reader's language. All of it lies in strings/<language>/.

/** Languages there are; another one is another folder in strings/ and a line here. Only the reader's is loaded. */
const LANGUAGES = { en: () => import("./strings/en/index.js") };

export const language = navigator.languages.map((tag) => tag.split("-")[0]).find((tag) => tag in LANGUAGES) ?? "en";
const { everywhere, later } = await LANGUAGES[language]();
const strings = { ...everywhere };
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

/** Brings texts that few people read, by the name that strings/<language>/index.js has for them. */
export async function bringTexts(part) {
  Object.assign(strings, (await later[part]()).default);
}

/** Whether there is a text of this key. */
export const has = (key) => key.split(".").reduce((part, name) => part?.[name], strings) !== undefined;

const shown = (value) => (typeof value === "number" ? number(value) : (value ?? ""));

/** A number as people write it here. */
export const number = (value, digits = 0) =>
  new Intl.NumberFormat(locale, { maximumFractionDigits: digits }).format(value);

/** A share of 0 to 1, in percent; a dash where there is none. */
export const percent = (share, digits = 0) =>
  share === null || share === undefined
    ? "–"
    : new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: digits }).format(share);

/** A percentage as the service gives it, 0 to 100. */
export const ofHundred = (value) => percent(value === null || value === undefined ? null : value / 100);

/** How sure a machine is, 0 to 1. It is never certain. */
export const sure = (share) => (share > 0.99 ? `> ${percent(0.99)}` : percent(share));

const formats = {
  time: { hour: "2-digit", minute: "2-digit" },
  exact: { hour: "2-digit", minute: "2-digit", second: "2-digit" },
  short: { day: "numeric", month: "short" },
  day: { weekday: "short", day: "numeric", month: "short" },
  date: { day: "numeric", month: "short", year: "numeric" },
  moment: { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" },
  month: { month: "long", year: "numeric" },
};

/** Where the school's clocks hang, such as `Asia/Kolkata`; those of the device until that is known. */
let zone;
const written = new Map();

/** Days and times are those of the school, wherever the device is. Gives whether this browser knows the zone. */
export function setTimeZone(name) {
  try {
    new Intl.DateTimeFormat(locale, { timeZone: name });
  } catch {
    return false;
  }
  zone = name;
  written.clear();
  return true;
}

function writer(kind, timeZone) {
  const key = `${kind} ${timeZone}`;
  if (!written.has(key)) written.set(key, new Intl.DateTimeFormat(locale, { ...formats[kind], timeZone }));
  return written.get(key);
}

/** A moment on the school's clocks: `kind` is time, exact, short, day, date, moment or month. */
export const when = (moment, kind = "moment") => writer(kind, zone).format(new Date(moment));

/** A day `YYYY-MM-DD` of the calendar, which no time zone moves. */
export const dayOf = (text, kind = "day") => writer(kind, "UTC").format(new Date(`${text}T00:00:00Z`));

const DAY_MS = 24 * 60 * 60 * 1000;
const MINUTE_MS = 60_000;

/** A moment as a field for a day and a time wants it: `YYYY-MM-DDTHH:MM` on the school's clocks. */
export function localInput(moment) {
  if (!written.has("field")) {
    const two = Object.fromEntries(["month", "day", "hour", "minute"].map((part) => [part, "2-digit"]));
    const plain = { year: "numeric", ...two, hourCycle: "h23", timeZone: zone };
    written.set("field", new Intl.DateTimeFormat("en-u-ca-gregory-nu-latn", plain));
  }
  const parts = written.get("field").formatToParts(new Date(moment));
  const { year, month, day, hour, minute } = Object.fromEntries(parts.map(({ type, value }) => [type, value]));
  return `${year}-${month}-${day}T${hour}:${minute}`;
}

/** The day of a moment at the school, as `YYYY-MM-DD`. */
export const dayIn = (moment) => localInput(moment).slice(0, 10);

/** Today at the school, or so many days after it, as `YYYY-MM-DD`. */
export const today = (offsetDays = 0) => dayAfter(dayIn(Date.now()), offsetDays);

/** So many days after a day `YYYY-MM-DD`. They are counted in UTC: no hour is lost or won there. */
export const dayAfter = (day, days) => new Date(Date.parse(`${day}T00:00:00Z`) + days * DAY_MS).toISOString().slice(0, 10);

/** The first day of a week, the one that a day is in. */
export const mondayOf = (day) => dayAfter(day, -((new Date(`${day}T00:00:00Z`).getUTCDay() + 6) % 7));

/** How far the school's clocks are before UTC at a moment, milliseconds. */
const ahead = (moment) => Date.parse(`${localInput(moment)}Z`) - Math.floor(moment / MINUTE_MS) * MINUTE_MS;

/**
 * The moment, in UTC, at which the school's clocks show this day `YYYY-MM-DD` and time `HH:MM`. When they are put back, a time
 * comes twice: the first counts. When they are put forward, one is left out: then it is as long after the change.
 */
export function momentIn(day, time = "00:00") {
  const shown = Date.parse(`${day}T${time}Z`);
  // The clocks change once within two days at most.
  const [before, after] = [ahead(shown - DAY_MS), ahead(shown + DAY_MS)];
  const found = [before, after].map((by) => shown - by).find((moment) => moment + ahead(moment) === shown);
  return new Date(found ?? shown - before).toISOString();
}

const SIZES = [[1e12, "TB"], [1e9, "GB"], [1e6, "MB"]];

/** So many bytes, in the unit that people would use. */
export function bytes(count) {
  const [size, unit] = SIZES.find(([least]) => count >= least) ?? [];
  return size ? `${number(count / size, 1)} ${unit}` : `${number(Math.ceil(count / 1e3))} kB`;
}
