// One student in one session: status, note, what was found, what was changed.

import * as api from "../../api.js";
import { fill, h } from "../../dom.js";
import { button, linkButton } from "../../parts/button.js";
import * as dialog from "../../parts/dialog.js";
import { area, field } from "../../parts/form.js";
import { faceCrop, portrait } from "../../parts/picture.js";
import { labelOf, statusBadge, statusPicker } from "../../parts/status.js";
import { done } from "../../parts/undo.js";
import { sure, t, when } from "../../text.js";
import { mayRecord } from "../../viewer.js";

export function openRecord(model, record) {
  const mayChange = mayRecord() && !model.isConfirmed;
  const face = model.faceOf(record);
  const student = model.students.get(record.member_id);
  const note = area("note", record.source === "manual" ? record.note : "", { rows: 2, maxlength: 500 });
  const history = h("div", {});
  let status = record.status;
  const save = async () => {
    const back = await model.correct(record, status, note.value.trim() || null);
    sheet.close();
    done(t("session.changed", { name: record.name, status: labelOf(status) }), back);
  };
  const withdraw = async () => {
    const back = await model.withdraw(record);
    sheet.close();
    done(t("session.undone"), back);
  };
  const sheet = dialog.open({
    title: t("record.title", { roll: record.roll_no, name: record.name }),
    body: [
      h(
        "div",
        { class: "pair" },
        pictured(t("record.portrait"), student ? portrait(student, t("record.portrait"), "picture-large") : null),
        pictured(t("record.found"), face ? faceCrop(face.id, t("record.found"), "picture-large") : h("span", { class: "picture picture-large" }, t("record.notFound"))),
      ),
      h(
        "p",
        { class: "row" },
        statusBadge(record.status),
        h("span", { class: "quiet" }, t(`record.${record.source}`)),
        record.confidence !== null && h("span", { class: "quiet" }, t("record.sure", { share: sure(record.confidence) })),
      ),
      record.source === "auto" && record.note && h("p", { class: "quiet" }, record.note),
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
  // A link inside leads away.
  sheet.element.addEventListener("click", (event) => event.target.closest("a") && sheet.close());
}

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
