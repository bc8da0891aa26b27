// What a school sets for itself: statuses, holidays, subjects, classes.

import { SignedOut } from "../api.js";
import { fill, h } from "../dom.js";
import { failure, skeleton } from "../parts/states.js";
import { to } from "../router.js";
import { t } from "../text.js";
import { classesPart } from "./admin/classes-part.js";
import { head } from "./admin/head.js";
import { holidaysPart } from "./admin/holidays-part.js";
import { statusesPart } from "./admin/statuses-part.js";
import { subjectsPart } from "./admin/subjects-part.js";

const PARTS = { statuses: statusesPart, holidays: holidaysPart, subjects: subjectsPart, classes: classesPart };

export async function show({ query, signal }) {
  const chosen = query.get("part") in PARTS ? query.get("part") : "statuses";
  const title = t("admin.settings.title");
  const place = h("section", { class: "admin-part" });
  const load = async () => {
    fill(place, h("h2", {}, t(`admin.settings.part.${chosen}`)), skeleton());
    try {
      const content = await PARTS[chosen]({ query, signal });
      if (!signal.aborted) fill(place, h("h2", {}, t(`admin.settings.part.${chosen}`)), content);
    } catch (error) {
      if (error instanceof SignedOut) throw error;
      if (error.name !== "AbortError")
        fill(place, h("h2", {}, t(`admin.settings.part.${chosen}`)), failure(error, load));
    }
  };
  load();
  return { title: `${t(`admin.settings.part.${chosen}`)}, ${title}`, body: [head(title), partLinks(chosen), place] };
}

const partLinks = (chosen) =>
  h(
    "nav",
    { class: "part-links", "aria-label": t("admin.settings.parts") },
    Object.keys(PARTS).map((part) =>
      h(
        "a",
        {
          class: "part-link",
          href: to("/admin/settings", { part }),
          "aria-current": part === chosen ? "page" : null,
        },
        t(`admin.settings.part.${part}`),
      ),
    ),
  );
