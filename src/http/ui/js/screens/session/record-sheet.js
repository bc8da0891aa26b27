// One student in one session: status, note, what was found, what was changed.

import * as api from "../../api.js";
import { fill, h } from "../../dom.js";
import { button, linkButton } from "../../parts/button.js";
import * as dialog from "../../parts/dialog.js";
import { area, field } from "../../parts/form.js";
import { icon } from "../../parts/icon.js";
import { faceCrop, portrait } from "../../parts/picture.js";
import { labelOf, statusBadge, statusPicker } from "../../parts/status.js";
import { done } from "../../parts/undo.js";
import { sure, t, when } from "../../text.js";
import { mayRecord } from "../../viewer.js";

/** @param {object} shown the record as it is in the list */
export function openRecord(model, shown) {
  let record = shown;
  const mayChange = mayRecord() && !model.isConfirmed;
  const face = model.faceOf(record);
  const student = model.students.get(record.member_id);
  const note = area("note", record.source === "manual" ? record.note : "", { rows: 2, maxlength: 500 });
  const history = h("div", {});
  const now = h("div", { "aria-live": "polite" }, stateOf(record, record.source === "auto" || !mayChange));
  let status = record.status;
  /** Does it, unless somebody else was faster: then that is shown, what was typed stays, and the next press does it. */
  const act = async (work, text) => {
    try {
      const back = await work();
      sheet.close();
      done(text(), back);
    } catch (error) {
      if (error.code !== "VERSION_CONFLICT") throw error;
      await model.load();
      record = model.records.find((other) => other.member_id === record.member_id) ?? record;
      fill(now, h("p", { class: "notice notice-warn" }, icon("alert"), t("record.changedMeanwhile")), stateOf(record, true));
      now.scrollIntoView({ block: "nearest" });
    }
  };
  const save = () =>
    act(
      () => model.correct(record, status, note.value.trim() || null),
      () => t("session.changed", { name: record.name, status: labelOf(status) }),
    );
  const withdraw = () => act(() => model.withdraw(record), () => t("session.undone"));
  const sheet = dialog.open({
    title: t("record.title", { roll: record.roll_no, name: record.name }),
    body: [
      h(
        "div",
        { class: "pair" },
        pictured(t("record.portrait"), student ? portrait(student, t("record.portrait"), "picture-large") : null),
        pictured(t("record.found"), face ? faceCrop(face.id, t("record.found"), "picture-large") : h("span", { class: "picture picture-large" }, t("record.notFound"))),
      ),
      now,
      mayChange && [
        statusPicker(t("record.status"), "status", status, (chosen) => (status = chosen)),
        field(t("record.note"), note, t("record.noteHint")),
      ],
      h("details", { on: { toggle: () => showHistory(model, record, history) } }, h("summary", {}, t("record.history")), history),
      student && linkButton(t("record.student"), `#/students/${student}`, { kind: "plain", icon: "people" }),
    ],
    actions: mayChange
      ? [record.source === "manual" && button(t("record.withdraw"), withdraw, { icon: "undo" }), button(t("action.save"), save, { kind: "primary" })].filter(Boolean)
      : [],
  });
}

/** What is known now, and who says it. A person's own note stands in its field. */
const stateOf = (record, withNote) => [
  h(
    "p",
    { class: "row" },
    statusBadge(record.status),
    h("span", { class: "quiet" }, t(`record.${record.source}`)),
    record.confidence !== null && h("span", { class: "quiet" }, t("record.sure", { share: sure(record.confidence) })),
  ),
  withNote && record.note && h("p", { class: "quiet" }, record.note),
];

const pictured = (caption, picture) => h("figure", {}, picture, h("figcaption", { class: "small quiet" }, caption));

async function showHistory(model, record, place) {
  const { items } = await api.get(`/sessions/${model.id}/records/${record.member_id}/history`);
  fill(
    place,
    items.length === 0
      ? h("p", { class: "quiet" }, t("record.noHistory"))
      : h(
          "ul",
          { class: "stack" },
          items.map((change) =>
            h(
              "li",
              {},
              h("p", {}, t("record.change", { from: labelOf(change.from_status), to: labelOf(change.status) }), change.reason && `: ${change.reason}`),
              h("p", { class: "small quiet" }, t("record.by", { name: change.by, when: when(change.at) })),
            ),
          ),
        ),
  );
}
