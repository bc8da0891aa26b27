// The sheet of a session in other forms than the usual one.

import * as api from "../../api.js";
import { h } from "../../dom.js";
import { saveFile } from "../../parts/button.js";
import { ask, field, select } from "../../parts/form.js";
import { t } from "../../text.js";

/** What the service is asked for, by what the person chooses. */
const FORMS = {
  plain: { format: "xlsx", evidence: false },
  strangers: { format: "xlsx", strangers: true },
  csv: { format: "csv" },
  moodlePrn: { format: "moodle", identifier: "prn" },
  moodleEmail: { format: "moodle", identifier: "email" },
};

/** Sessions of a pilot count nowhere, and Moodle would count them. */
const COUNTS = ["moodlePrn", "moodleEmail"];

export async function otherSheet(session) {
  const chosen = select(
    "form",
    Object.keys(FORMS).filter((form) => !session.pilot || !COUNTS.includes(form)).map((form) => [form, t(`session.form.${form}`)]),
    "csv",
    { autofocus: true },
  );
  const hint = h("p", { class: "hint", "aria-live": "polite" });
  const explain = () => (hint.textContent = t(`session.formHint.${chosen.value}`));
  chosen.addEventListener("change", explain);
  explain();
  const file = await ask({
    title: t("session.otherForms"),
    action: t("session.downloadIt"),
    fields: [field(t("session.formName"), chosen), hint],
    send: ({ form }) => api.file(`/sessions/${session.id}/sheet`, FORMS[form]),
  });
  if (file) saveFile(file);
}
