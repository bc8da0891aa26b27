// Tokens of other programs: made, shown once, revoked.

import * as api from "../api.js";
import { h } from "../dom.js";
import { button } from "../parts/button.js";
import { confirmed } from "../parts/dialog.js";
import { field, select } from "../parts/form.js";
import { empty } from "../parts/states.js";
import { table } from "../parts/table.js";
import { say } from "../parts/toast.js";
import { t, when } from "../text.js";
import { head } from "./admin/head.js";
import { listing } from "./admin/listing.js";
import { makeToken } from "./admin/token-form.js";

const VALID = "true";

export async function show({ query, signal }) {
  const title = t("admin.tokens.title");
  const list = listing({
    signal,
    query,
    filters: [
      field(
        t("admin.tokens.show"),
        select(
          "valid",
          [
            [VALID, t("admin.tokens.valid")],
            ["all", t("admin.tokens.all")],
          ],
          VALID,
        ),
      ),
    ],
    usual: { valid: VALID },
    ask: (said) => api.get("/tokens", { ...said, valid: said.valid === VALID ? true : null }, signal),
    show: (items) => table({ caption: title, columns: columns((token) => revoke(token, list.load)), rows: items }),
    none: () => empty(t("admin.tokens.none"), t("admin.tokens.noneText")),
  });
  const add = button(t("admin.tokens.add"), () => makeToken(list.load), { kind: "primary", icon: "plus" });
  return {
    title,
    body: [head(title, add), h("p", { class: "quiet admin-intro" }, t("admin.tokens.intro")), list.element],
  };
}

const columns = (press) => [
  {
    title: t("admin.tokens.columns.name"),
    head: true,
    cell: (token) => [
      h("strong", {}, token.name),
      h(
        "span",
        { class: "small quiet token-hint" },
        `${token.hint}… · ${t("admin.tokens.madeOn", { day: when(token.created_at, "date") })}`,
      ),
      // What the columns that a phone leaves out say.
      h(
        "span",
        { class: "small token-hint narrow-only" },
        `${scopesOf(token)} · ${t("admin.tokens.endsOn", { day: endOf(token) })}`,
      ),
    ],
  },
  { title: t("admin.tokens.columns.scopes"), wide: true, cell: scopesOf },
  {
    title: t("admin.tokens.columns.used"),
    wide: true,
    cell: (token) => (token.last_used_at ? when(token.last_used_at) : t("admin.tokens.notUsed")),
  },
  { title: t("admin.tokens.columns.ends"), wide: true, cell: endOf },
  { title: t("admin.tokens.columns.state"), cell: (token) => stateCell(token, press) },
];

function scopesOf({ scopes }) {
  return scopes.map((scope) => t(`admin.tokens.scope.${scope}`)).join(", ");
}

function endOf(token) {
  return token.expires_at ? when(token.expires_at, "date") : t("admin.tokens.unlimited");
}

function stateCell(token, press) {
  const state = stateOf(token);
  if (state !== "valid") return h("span", { class: "tag tag-bad" }, t(`admin.tokens.state.${state}`));
  return button(t("admin.tokens.revoke"), () => press(token), {
    kind: "danger",
    label: t("admin.tokens.revokeLabel", { name: token.name }),
  });
}

function stateOf({ revoked_at: revoked, expires_at: ends }) {
  if (revoked) return "revoked";
  return ends && Date.parse(ends) <= Date.now() ? "over" : "valid";
}

async function revoke(token, after) {
  const { name } = token;
  if (
    !(await confirmed(t("admin.tokens.revokeTitle", { name }), t("admin.tokens.revokeText"), t("admin.tokens.revoke")))
  )
    return;
  await api.remove(`/tokens/${token.id}`);
  say(t("admin.tokens.revoked", { name }));
  after();
}
