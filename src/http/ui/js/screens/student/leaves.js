// All leave of a student, the newest first.

import * as api from "../../api.js";
import { h } from "../../dom.js";
import { button } from "../../parts/button.js";
import { load, placeFor } from "../../parts/load.js";
import { empty } from "../../parts/states.js";
import { t } from "../../text.js";
import { askLeave, leaveRow } from "./leave.js";

export function leaveTab({ id, signal }) {
  const place = placeFor();
  const show = () =>
    load(
      place,
      async () => {
        const { items } = await api.get(`/students/${id}/leaves`, {}, signal);
        if (items.length === 0) return empty(t("leave.none"), t("leave.noneText"));
        return h(
          "ul",
          { class: "list" },
          [...items].reverse().map((leave) => leaveRow(leave, show)),
        );
      },
      { rows: 3 },
    );
  const add = async () => {
    if (await askLeave({ studentId: id })) show();
  };
  show();
  return [h("div", { class: "row bar-above" }, button(t("leave.add"), add, { icon: "plus" })), place];
}
