// The way back of the sheet: statuses that were corrected in Excel, shown as a difference before they are taken over.

import * as api from "../../api.js";
import { fill, h } from "../../dom.js";
import { button } from "../../parts/button.js";
import * as dialog from "../../parts/dialog.js";
import { field, input } from "../../parts/form.js";
import { statusBadge } from "../../parts/status.js";
import { table } from "../../parts/table.js";
import { say } from "../../parts/toast.js";
import { t, when } from "../../text.js";

export function importSheet(model) {
  const file = input("file", { type: "file", accept: ".xlsx,.csv" });
  const difference = h("div", { class: "stack", "aria-live": "polite" });
  const actions = h("div", { class: "form-actions" });
  const sent = (mode, conflicts) => {
    const form = new FormData();
    form.append("file", file.files[0]);
    return api.send(`/sessions/${model.id}/sheet-import`, form, { query: { mode, conflicts } });
  };
  const preview = async () => {
    fill(difference);
    fill(actions);
    if (file.files.length === 0) return;
    const found = await sent("preview");
    fill(difference, differenceOf(found));
    const clear = found.changes.filter((change) => !change.conflict).length;
    const conflicts = found.changes.length - clear;
    fill(
      actions,
      conflicts > 0 && button(t("sheet.overwrite", { count: conflicts }), () => apply("overwrite"), { kind: "danger" }),
      clear > 0 && button(t("sheet.apply", { count: clear }), () => apply("skip"), { kind: "primary" }),
    );
  };
  const apply = async (conflicts) => {
    const { changes } = await sent("apply", conflicts);
    await model.refresh();
    opened.close();
    say(t("sheet.applied", { count: changes.filter((change) => change.applied).length }));
  };
  const look = button(t("sheet.preview"), preview);
  file.addEventListener("change", () => look.click());
  const opened = dialog.open({
    title: t("sheet.title"),
    wide: true,
    body: [h("p", {}, t("sheet.text")), field(t("sheet.file"), file), h("div", { class: "row" }, look), difference, actions],
  });
}

/** What the file would change, what somebody else has changed since, and what could not be read. */
const differenceOf = ({ changes, unchanged, problems }) => [
  problems.length > 0 &&
    h(
      "div",
      { class: "notices" },
      problems.map((problem) => h("p", { class: "notice notice-bad" }, t("sheet.problem", { row: problem.row, text: problem.detail }))),
    ),
  changes.length > 0 &&
    table({
      caption: t("sheet.changes", { count: changes.length }),
      showCaption: true,
      rows: changes,
      columns: [
        { title: t("sheet.student"), head: true, cell: (change) => `${change.roll_no} ${change.name}` },
        { title: t("sheet.from"), cell: (change) => said(change.from) },
        { title: t("sheet.to"), cell: (change) => said(change.to) },
        {
          title: t("sheet.conflict"),
          cell: (change) =>
            change.conflict && h("span", { class: "bad" }, t("sheet.changedBy", { name: change.conflict.by ?? t("record.auto"), when: change.conflict.at ? when(change.conflict.at) : "" })),
        },
      ],
    }),
  h("p", { class: "quiet" }, t("sheet.unchanged", { count: unchanged })),
];

const said = ({ status, note }) => [statusBadge(status), note && h("span", { class: "small quiet note" }, note)];
