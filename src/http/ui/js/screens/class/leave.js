// Who of a class is excused beforehand, and when.

import * as api from "../../api.js";
import { h } from "../../dom.js";
import { button } from "../../parts/button.js";
import { load, placeFor } from "../../parts/load.js";
import { rangeFields, rangeOf } from "../../parts/range.js";
import { empty } from "../../parts/states.js";
import { note } from "../../router.js";
import * as school from "../../school.js";
import { t } from "../../text.js";
import { askLeave, leaveRow } from "../student/leave.js";

export function leaveTab({ id, query, signal }) {
  const range = rangeOf(query, "leave");
  const place = placeFor();
  const show = () =>
    load(place, async () => {
      const { items } = await api.get(`/classes/${id}/leaves`, range, signal);
      if (items.length === 0) return empty(t("leave.noneHere"), t("leave.noneText"));
      return h(
        "ul",
        { class: "list" },
        items.map((leave) => leaveRow(leave, show, { named: true })),
      );
    });
  const change = (said) => {
    Object.assign(range, said);
    for (const [name, value] of Object.entries(said)) query.set(name, value);
    note(said);
    show();
  };
  const add = async () => {
    const members = await school.members(id);
    if (await askLeave({ members })) show();
  };
  show();
  return [
    h(
      "form",
      { class: "filters", on: { submit: (event) => event.preventDefault() } },
      rangeFields(range, change),
      h("div", { class: "filters-end" }, button(t("leave.add"), add, { icon: "plus" })),
    ),
    place,
  ];
}
