// Making a token: what it is for, what it may do, when it ends.

import * as api from "../../api.js";
import { freshId, h } from "../../dom.js";
import { ask, field, input, select } from "../../parts/form.js";
import { dayAfter, momentIn, t, today } from "../../text.js";
import { showOnce } from "./once.js";

const SCOPES = ["roster", "enrol", "attendance", "record", "recognise", "manage"];
const ENDS = ["30", "90", "365", "date", "never"];
const DAY_MS = 24 * 60 * 60 * 1000;

/** @param {() => any} after called when one was made */
export async function makeToken(after) {
  const fresh = await ask({
    title: t("admin.tokens.add"),
    action: t("admin.tokens.make"),
    fields: [
      field(
        t("admin.tokens.name"),
        input("name", { required: true, maxlength: 100, autofocus: true }),
        t("admin.tokens.nameHint"),
      ),
      scopeFields(),
      endFields(),
    ],
    send: async (said) => {
      const scopes = SCOPES.filter((scope) => said[`scope-${scope}`]);
      if (scopes.length === 0) throw new Error(t("admin.tokens.noScope"));
      return api.post("/tokens", { name: said.name, scopes, expires_at: endOf(said) });
    },
  });
  if (!fresh) return;
  after();
  await showOnce({
    title: t("admin.tokens.onceTitle", { name: fresh.name }),
    text: t("admin.tokens.onceText"),
    label: t("admin.tokens.once"),
    secret: fresh.token,
    done: t("admin.tokens.onceDone"),
    copyLabel: t("admin.tokens.copyAction"),
  });
}

const scopeFields = () =>
  h(
    "fieldset",
    { class: "field" },
    h("legend", {}, t("admin.tokens.scopes")),
    SCOPES.map((scope) =>
      field(
        t(`admin.tokens.scope.${scope}`),
        h("input", { type: "checkbox", name: `scope-${scope}`, id: freshId("scope") }),
        t(`admin.tokens.scopeText.${scope}`),
      ),
    ),
  );

function endFields() {
  const ends = select(
    "ends",
    ENDS.map((end) => [end, t(`admin.tokens.end.${end}`)]),
    "90",
  );
  const day = input("day", { type: "date", min: today() });
  const dayRow = field(t("admin.tokens.day"), day);
  const warning = h("p", { class: "notice notice-warn" }, t("admin.tokens.neverText"));
  const follow = () => {
    dayRow.hidden = ends.value !== "date";
    day.required = ends.value === "date";
    warning.hidden = ends.value !== "never";
  };
  ends.addEventListener("change", follow);
  follow();
  return [field(t("admin.tokens.ends"), ends), dayRow, warning];
}

/** The moment from which it is not valid: the end of its last day, at the school. */
function endOf({ ends, day }) {
  if (ends === "never") return null;
  if (ends !== "date") return new Date(Date.now() + Number(ends) * DAY_MS).toISOString();
  if (!day) throw new Error(t("admin.tokens.dayNeeded"));
  return momentIn(dayAfter(day, 1));
}
