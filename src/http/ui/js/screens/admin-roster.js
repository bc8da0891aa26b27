// Students from the school's list, and their portraits: seen before they are taken over.

import * as school from "../school.js";
import { t } from "../text.js";
import { head } from "./admin/head.js";
import { listImport } from "./admin/list-import.js";
import { portraitImport } from "./admin/portrait-import.js";

export async function show({ query, signal }) {
  const classes = await school.classes();
  const title = t("admin.roster.title");
  return {
    title,
    body: [head(title), listImport(classes, signal), portraitImport(classes, Number(query.get("class")), signal)],
  };
}
