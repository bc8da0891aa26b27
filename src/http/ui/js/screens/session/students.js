// The students of a session: first those that need a decision, then everybody.

import { h, refill } from "../../dom.js";
import { button } from "../../parts/button.js";
import { portrait } from "../../parts/picture.js";
import { STATUSES, labelOf, statusBadge } from "../../parts/status.js";
import { done } from "../../parts/undo.js";
import { has, number, sure, t } from "../../text.js";
import { mayRecord } from "../../viewer.js";
import { faceThumb, nameOf, textOf } from "./faces.js";
import { openFace } from "./face-sheet.js";
import { openRecord } from "./record-sheet.js";

/** @param {(face) => void} look shows a face in its photo */
export function studentsPart(model, look) {
  const element = h("div", { class: "stack" });
  let filter = null;
  const show = () => {
    const mayChange = mayRecord() && !model.isConfirmed;
    const doubts = mayChange ? model.doubts() : [];
    const asked = new Set(doubts.map((face) => face.member?.id));
    const undecided = mayChange && !model.isWaiting ? model.records.filter((record) => record.status === "unmarked" && !asked.has(record.member_id)) : [];
    const open = doubts.length + undecided.length;
    const choose = (status) => {
      filter = filter === status ? null : status;
      show();
    };
    refill(
      element,
      open > 0 &&
        h(
          "section",
          {},
          h("h2", {}, t("session.look"), h("span", { class: "tag tag-warn" }, number(open))),
          h("ul", { class: "list" }, doubts.map((face) => doubtRow(model, face, look)), undecided.map((record) => undecidedRow(model, record))),
          undecided.length > 1 && h("div", { class: "row all-at-once" }, ["present", "absent"].map((status) => allTo(model, undecided, status))),
        ),
      h(
        "section",
        {},
        h("h2", {}, t("session.everybody")),
        counts(model, filter, choose),
        h("ul", { class: "list" }, model.records.filter((record) => filter === null || record.status === filter).map((record) => recordRow(model, record))),
      ),
    );
  };
  model.onChange(show);
  show();
  return element;
}

/** A face in doubt beside the portrait of whom it may be: two taps less than opening it. */
function doubtRow(model, face, look) {
  const student = face.member && model.students.get(face.member.id);
  const decide = (said, text) => async () => done(text, await model.decide(face, said));
  return h(
    "li",
    { class: "doubt", data: { key: `doubt-${face.id}` } },
    h("button", { type: "button", class: "doubt-faces", "aria-label": textOf(face), on: { click: () => look(face) } }, faceThumb(face, model.photoOf(face), "picture-medium"), student && portrait(student, "", "picture-medium")),
    h("div", { class: "grow" }, h("p", {}, face.member ? t("face.isIt", { name: nameOf(face.member) }) : t("face.title")), h("p", { class: "small quiet" }, face.reason && has(`face.why.${face.reason}`) && t(`face.why.${face.reason}`))),
    h(
      "div",
      { class: "row" },
      face.member &&
        button(t("face.yes"), decide({ is: "member", member_id: face.member.id }, t("face.saved", { name: nameOf(face.member) })), {
          kind: "primary",
          label: t("face.confirm", { name: face.member.name }),
        }),
      button(t("face.no"), () => openFace(model, face), { label: t("face.noLabel") }),
    ),
  );
}

function undecidedRow(model, record) {
  const set = (status) => async () => done(t("session.changed", { name: record.name, status: labelOf(status) }), await model.correct(record, status, null));
  return h(
    "li",
    { class: "doubt", data: { key: `undecided-${record.member_id}` } },
    h("button", { type: "button", class: "doubt-faces", "aria-label": nameOf(record), on: { click: () => openRecord(model, record) } }, pictureOf(model, record)),
    h("div", { class: "grow" }, h("p", {}, nameOf(record)), record.note && h("p", { class: "small quiet" }, record.note)),
    h("div", { class: "row" }, ["present", "absent"].map((status) => button(labelOf(status), set(status), { label: t("session.changed", { name: record.name, status: labelOf(status) }) }))),
  );
}

const allTo = (model, records, status) =>
  button(t("session.undecidedTo", { status: labelOf(status) }), async () => done(t("session.undecidedTo", { status: labelOf(status) }), await model.correctAll(records, status)), { kind: "plain" });

/** How many of each status; a press shows only those. */
const counts = (model, filter, choose) =>
  h(
    "div",
    { class: "counts", data: { key: "counts" } },
    STATUSES.map((status) => {
      const count = model.records.filter((record) => record.status === status).length;
      return h(
        "button",
        { type: "button", class: "count", "aria-pressed": String(filter === status), on: { click: () => choose(status) } },
        h("strong", {}, number(count)),
        statusBadge(status),
      );
    }),
  );

function recordRow(model, record) {
  return h(
    "li",
    {},
    h(
      "button",
      { type: "button", class: "list-item", data: { key: `record-${record.member_id}` }, on: { click: () => openRecord(model, record) } },
      pictureOf(model, record),
      h("span", { class: "grow" }, h("span", { class: "name" }, record.name), h("span", { class: "small quiet note" }, record.roll_no), record.note && h("span", { class: "small quiet note" }, record.note)),
      record.source === "auto" && record.confidence !== null && h("span", { class: "small quiet sure" }, sure(record.confidence)),
      record.source !== "auto" && h("span", { class: "tag" }, t(`record.${record.source}`)),
      statusBadge(record.status),
    ),
  );
}

/** The face that was found, else the portrait. */
function pictureOf(model, record) {
  const face = model.faceOf(record);
  if (face) return faceThumb(face, model.photoOf(face));
  const student = model.students.get(record.member_id);
  return student ? portrait(student, "") : null;
}
