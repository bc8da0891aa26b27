// The pilot of a class: recognition tried out before it counts, and what it found beside the teacher's register.

import * as api from "../../api.js";
import { fill, h } from "../../dom.js";
import { button, downloadButton } from "../../parts/button.js";
import { confirmed } from "../../parts/dialog.js";
import { field, input } from "../../parts/form.js";
import { load, placeFor } from "../../parts/load.js";
import { say } from "../../parts/toast.js";
import { refresh } from "../../router.js";
import * as school from "../../school.js";
import { t } from "../../text.js";
import { isAdmin } from "../../viewer.js";
import { pilotResult } from "./pilot-result.js";

const PER_PAGE = 200;

export function pilotPart({ id, item, signal }) {
  const register = placeFor();
  load(register, async () => (item.pilot_since || (await hadPilot(id, signal)) ? comparison(id, signal) : []), { rows: 1 });
  return [isAdmin() && switchPart(item), register];
}

function switchPart(item) {
  const key = item.pilot_since ? "endPilot" : "beginPilot";
  const change = async () => {
    if (!(await confirmed(t(`class.${key}`), t(`class.${key}Text`), t(`class.${key}`), { danger: false }))) return;
    await api.patch(`/classes/${item.id}`, { pilot: !item.pilot_since });
    school.forget();
    say(t(`class.${key}Done`));
    refresh();
  };
  return h(
    "section",
    { class: "card" },
    h("h2", {}, t("class.pilot")),
    h("p", { class: "small quiet" }, t(`class.${key}Text`)),
    h("div", { class: "row bar-above" }, button(t(`class.${key}`), change)),
  );
}

/** Sessions of a pilot stay so for good. A pilot comes first, so after the newest sessions the oldest are looked at. */
async function hadPilot(id, signal) {
  const page = (number) => api.get("/sessions", { class_id: id, page: number, per_page: PER_PAGE }, signal);
  const some = ({ items }) => items.some((session) => session.pilot);
  const first = await page(1);
  if (some(first)) return true;
  for (let last = Math.ceil(first.total / PER_PAGE); last > 1; last -= 1) if (some(await page(last))) return true;
  return false;
}

/** The register is chosen, and laid beside what was found. Nothing of it is kept. */
function comparison(id, signal) {
  const file = input("register", { type: "file", accept: ".csv,.txt,text/csv" });
  const result = placeFor();
  const path = `/classes/${id}/pilot-comparison`;
  const compare = async (chosen) => {
    await load(result, async () => {
      // Read at once: a file that is changed later cannot be sent.
      const form = new FormData();
      form.append("file", new Blob([await chosen.arrayBuffer()], { type: "text/csv" }), chosen.name);
      const workbook = () => api.sendForFile(path, form, { query: { format: "xlsx" }, signal });
      return [
        pilotResult(await api.send(path, form, { signal })),
        h("div", { class: "row block" }, downloadButton(t("pilot.workbook"), workbook)),
      ];
    });
    result.querySelector("[tabindex]")?.focus({ preventScroll: true });
  };
  file.addEventListener("change", () => (file.files.length > 0 ? compare(file.files[0]) : fill(result)));
  return h(
    "section",
    { class: "card" },
    h("h2", {}, t("pilot.compare")),
    h("p", { class: "small quiet" }, t("pilot.compareText")),
    h("div", { class: "bar-above" }, field(t("pilot.register"), file, t("pilot.registerHint"))),
    result,
  );
}
