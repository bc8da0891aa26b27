// The register: students down, sessions across, a letter in each field; a press on it leads to the session.

import * as api from "../../api.js";
import { h } from "../../dom.js";
import { button, downloadButton, save } from "../../parts/button.js";
import { each, load, placeFor } from "../../parts/load.js";
import { pager } from "../../parts/pager.js";
import { empty } from "../../parts/states.js";
import { STATUSES, statusBadge } from "../../parts/status.js";
import { scrollable } from "../../parts/table.js";
import { say } from "../../parts/toast.js";
import { go, note, to } from "../../router.js";
import { number, ofHundred, t, when } from "../../text.js";
import { chosenOf, filters } from "./range.js";

/** Sessions side by side; the records of each are a request. */
const PER_PAGE = 31;
const WAIT_S = 25;

export function registerTab(context) {
  const chosen = chosenOf(context);
  const place = placeFor();
  let page = Number(context.query.get("page") ?? 1) || 1;
  const show = () => load(place, () => grid(context, chosen, page, goTo), { rows: 10 });
  const goTo = (next) => {
    page = next;
    note({ page: next === 1 ? "" : next });
    show();
  };
  show();
  return [filters(context, chosen, () => goTo(1)), place];
}

async function grid(context, chosen, page, goTo) {
  const { id, signal } = context;
  const { from, to: until, subject } = chosen;
  const range = { from, to: until, subject_id: subject };
  const [sessions, summary] = await Promise.all([
    api.get("/sessions", { ...range, class_id: id, page, per_page: PER_PAGE }, signal),
    api.get(`/classes/${id}/attendance`, range, signal),
  ]);
  if (sessions.total === 0) return empty(t("register.none"), t("register.noneText"));
  const columns = await each(sessions.items, async (session) => {
    const { items } = await api.get(`/sessions/${session.id}/records`, {}, signal);
    return { session, records: new Map(items.map((record) => [record.member_id, record])) };
  });
  return [
    scrollable(t("register.caption"), registerTable(rowsOf(summary.items, columns), columns), "register-frame"),
    h("div", { class: "register-foot" }, legend(), downloads(context, chosen)),
    sessions.total > PER_PAGE && pager(sessions, goTo),
  ];
}

/** Everybody with a record, in the order of the roll; whoever has left comes last. */
function rowsOf(members, columns) {
  const rows = new Map(members.map((member) => [member.member_id, member]));
  for (const { records } of columns) {
    for (const record of records.values())
      if (!rows.has(record.member_id)) rows.set(record.member_id, { ...record, percent: null });
  }
  return [...rows.values()];
}

function registerTable(rows, columns) {
  const open = (event) => {
    const cell = event.target.closest("td[data-session]");
    if (cell) go(`/sessions/${cell.dataset.session}`);
  };
  return h(
    "table",
    { class: "register", on: { click: open } },
    h("caption", { class: "visually-hidden" }, t("register.caption")),
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        h("th", { scope: "col", class: "register-name" }, t("register.student")),
        h("th", { scope: "col", class: "number" }, t("register.percent")),
        columns.map(({ session }) => sessionHeading(session)),
      ),
    ),
    h(
      "tbody",
      {},
      rows.map((row) => registerRow(row, columns)),
    ),
    h(
      "tfoot",
      {},
      h(
        "tr",
        {},
        h("th", { scope: "row", class: "register-name" }, t("register.there")),
        h("td", {}),
        columns.map(({ records }) => h("td", { class: "small" }, presentOf(records))),
      ),
    ),
  );
}

/** The keyboard's way to a session; pilot and unconfirmed ones are told apart. */
function sessionHeading(session) {
  const notes = [
    session.pilot && t("session.pilot"),
    session.state !== "confirmed" && t(`session.state.${session.state}`),
  ].filter(Boolean);
  return h(
    "th",
    { scope: "col", class: `register-session ${session.state === "confirmed" ? "" : "register-open"}` },
    h(
      "a",
      { href: to(`/sessions/${session.id}`), title: [session.name, ...notes].filter(Boolean).join(", ") || null },
      h("span", {}, when(session.starts_at, "short")),
      h("span", { class: "small" }, when(session.starts_at, "time")),
      notes.length > 0 && h("span", { class: "visually-hidden" }, `, ${notes.join(", ")}`),
    ),
  );
}

const registerRow = (row, columns) =>
  h(
    "tr",
    {},
    h(
      "th",
      { scope: "row", class: "register-name" },
      row.student_id ? h("a", { href: to(`/students/${row.student_id}`) }, nameOf(row)) : nameOf(row),
    ),
    h("td", { class: `number ${row.below ? "bad" : ""}` }, ofHundred(row.percent)),
    columns.map(({ session, records }) => {
      const record = records.get(row.member_id);
      return record
        ? h(
            "td",
            { class: "register-cell", data: { session: session.id } },
            statusBadge(record.status, { short: true }),
          )
        : h("td", {});
    }),
  );

const nameOf = (row) => [
  h("span", { class: "register-roll" }, row.roll_no),
  h("span", { class: "register-who" }, row.name),
];

/** How many came, of those who were decided on. */
function presentOf(records) {
  const all = [...records.values()].filter(({ status }) => status !== "unmarked");
  const there = all.filter(({ status }) => status === "present" || status === "late");
  return `${number(there.length)}/${number(all.length)}`;
}

const legend = () =>
  h(
    "ul",
    { class: "row small quiet", "aria-label": t("register.legend") },
    STATUSES.map((status) => h("li", {}, statusBadge(status))),
    h("li", { class: "register-open-sign" }, t("register.open")),
  );

function downloads({ id, subjects, signal }, { from, to: until, subject }) {
  const name = subjects.find((item) => String(item.id) === String(subject))?.name ?? null;
  const register = (format) => () =>
    api.file(`/classes/${id}/register`, { from, to: until, subject: name, format }, signal);
  const workbook = async () => {
    const wish = { what: "workbook", class_id: id, from, to: until, subject: name };
    const made = await finished(await api.post(`/exports?wait=${WAIT_S}`, wish, { signal }), signal);
    const { blob } = await api.file(`/exports/${made.id}/file`, null, signal);
    save(blob, made.file_name);
    say(t("state.saved", { name: made.file_name }));
  };
  return h("div", { class: "row" }, [
    downloadButton(t("register.excel"), register("xlsx")),
    downloadButton(t("register.csv"), register("csv"), { kind: "plain" }),
    button(t("register.workbook"), workbook, { icon: "download", kind: "plain" }),
  ]);
}

/** A large workbook may take longer than one answer waits. Whoever has left the screen does not want it any more. */
async function finished(made, signal) {
  while (made.state === "queued" || made.state === "running") {
    await new Promise((done) => setTimeout(done, 1500));
    made = await api.get(`/exports/${made.id}`, null, signal);
  }
  if (made.state !== "done") throw new Error(made.error?.message ?? t("register.workbookFailed"));
  return made;
}
