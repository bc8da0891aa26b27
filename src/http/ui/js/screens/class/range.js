// Days and subject that several parts of a class share: kept in the address, and from one tab to the next.

import { h } from "../../dom.js";
import { field, select } from "../../parts/form.js";
import { rangeFields, rangeOf } from "../../parts/range.js";
import { note } from "../../router.js";
import { t } from "../../text.js";

/** What is chosen, as the address says it. */
export const chosenOf = ({ query }) => ({ ...rangeOf(query), subject: query.get("subject") ?? "" });

/**
 * @param {{query: URLSearchParams, subjects: object[]}} context
 * @param {object} chosen is changed
 * @param {() => void} changed
 * @param {...Node} more fields beside them
 */
export function filters({ query, subjects }, chosen, changed, ...more) {
  const keep = (said) => {
    Object.assign(chosen, said);
    for (const [name, value] of Object.entries(said)) query.set(name, value);
    note(said);
    changed();
  };
  const subject = select(
    "subject",
    [["", t("sessions.allSubjects")], ...subjects.map((item) => [item.id, item.name])],
    chosen.subject,
  );
  subject.addEventListener("change", () => keep({ subject: subject.value }));
  return h(
    "form",
    { class: "filters", on: { submit: (event) => event.preventDefault() } },
    rangeFields(chosen, keep),
    subjects.length > 0 && field(t("sessions.subject"), subject),
    more,
  );
}
