// Figures: attendance over time and by class, doubts and strangers, how long photos take, registers that were not taken.

import * as api from "../api.js";
import { h } from "../dom.js";
import { field, select } from "../parts/form.js";
import { load, placeFor } from "../parts/load.js";
import { rangeFields, rangeOf } from "../parts/range.js";
import { note } from "../router.js";
import * as school from "../school.js";
import { t } from "../text.js";
import { figuresOf } from "./dashboard/figures.js";
import { notTaken, notTakenList } from "./planned.js";

export async function show({ query, signal }) {
  const classes = await school.classes();
  const said = { ...rangeOf(query), class: query.get("class") ?? "" };
  const [place, missing] = [placeFor(), placeFor()];
  const showAll = () => {
    const asked = { from: said.from, to: said.to, class_id: said.class };
    load(place, async () => figuresOf(await api.get("/statistics", asked, signal)), { rows: 8 });
    showMissing(asked);
  };
  const showMissing = (asked, page = 1) =>
    load(missing, async () => missingPart(await notTaken(asked, signal), page, (next) => showMissing(asked, next)), {
      rows: 3,
    });
  const change = (part) => {
    Object.assign(said, part);
    note(part);
    showAll();
  };
  const chosen = select(
    "class",
    [["", t("sessions.allClasses")], ...classes.map((item) => [item.id, school.nameInTerm(item)])],
    said.class,
  );
  chosen.addEventListener("change", () => change({ class: chosen.value }));
  showAll();
  const title = t("dashboard.title");
  return {
    title,
    body: [
      h("div", { class: "head" }, h("h1", {}, title)),
      h(
        "form",
        { class: "filters", on: { submit: (event) => event.preventDefault() } },
        rangeFields(said, change),
        classes.length > 1 && field(t("sessions.class"), chosen),
      ),
      place,
      h("section", {}, h("h2", {}, t("timetable.missing")), missing),
    ],
  };
}

function missingPart(items, page, go) {
  if (items.length === 0) return h("p", { class: "quiet" }, t("dashboard.noneMissing"));
  return notTakenList(items, page, go, { named: true });
}
