// The administration at a glance: what needs attention, and the ways to everything else.

import * as api from "../api.js";
import { h } from "../dom.js";
import { icon } from "../parts/icon.js";
import { why } from "../parts/states.js";
import * as school from "../school.js";
import { t } from "../text.js";
import { attention, providerName } from "./admin/attention.js";

export async function show({ signal }) {
  const title = t("admin.title");
  const known = await ask(signal);
  const needs = attention(known);
  return {
    title,
    body: [
      h("h1", {}, title),
      h(
        "section",
        { class: "admin-part" },
        h("h2", {}, t("admin.attention")),
        needs.length === 0
          ? h("p", { class: "notice notice-good" }, icon("check"), t("admin.allWell"))
          : h("ul", { class: "admin-needs" }, needs.map(needTile)),
      ),
      h(
        "section",
        { class: "admin-part" },
        h("h2", {}, t("admin.places")),
        h("ul", { class: "cards" }, places(known).map(placeCard)),
      ),
    ],
  };
}

/** All that is looked at, each for itself: what fails says why and hides nothing else. */
async function ask(signal) {
  const jobs = (state) => api.get("/jobs", { state, per_page: 1 }, signal).then(({ total }) => total);
  const questions = {
    health: api.health(signal),
    model: api.get("/model-info", null, signal),
    packs: api.get("/packs", null, signal).then(({ items }) => items),
    failed: jobs("failed"),
    running: jobs("running"),
    queued: jobs("queued"),
    users: api.all("/users", { active: true }, signal),
    tokens: api.all("/tokens", { valid: true }, signal),
    classes: school.classes(),
  };
  const names = Object.keys(questions);
  const answers = await Promise.allSettled(Object.values(questions));
  const over = answers.find(({ reason }) => reason instanceof api.SignedOut || reason?.name === "AbortError");
  if (over) throw over.reason;
  // Nothing at all was answered (classes may be known from before): that is a failure of the screen.
  if (answers.every(({ status }, i) => status === "rejected" || names[i] === "classes")) throw answers[0].reason;
  const known = { refused: [] };
  answers.forEach(({ status, value, reason }, i) => {
    known[names[i]] = status === "fulfilled" ? value : null;
    if (status === "rejected") known.refused.push({ name: names[i], reason: why(reason), code: reason.code });
  });
  return known;
}

const needTile = ({ tone, drawing, title, text, href }) =>
  h(
    "li",
    {},
    h(
      "a",
      { class: `need need-${tone}`, href },
      icon(drawing),
      h("span", { class: "grow" }, h("strong", {}, title), text && h("span", { class: "need-text" }, text)),
      h("span", { class: "need-go" }, icon("back")),
    ),
  );

function places({ users, tokens, running, queued, health }) {
  const counted = (list, key) => (list === null ? t("admin.unknown") : t(key, { count: list.length }));
  return [
    ["users", "people", counted(users, "admin.place.usersText")],
    ["roster", "upload", t("admin.place.rosterText")],
    [
      "jobs",
      "refresh",
      running === null || queued === null ? t("admin.unknown") : t("admin.place.jobsText", { running, queued }),
    ],
    ["system", "shield", health === null ? t("admin.unknown") : `${health.pack}, ${providerName(health.provider)}`],
    ["tokens", "file", counted(tokens, "admin.place.tokensText")],
    ["audit", "history", t("admin.place.auditText")],
    ["settings", "gear", t("admin.place.settingsText")],
  ];
}

const placeCard = ([name, drawing, text]) =>
  h(
    "li",
    {},
    h(
      "a",
      { class: "card place-card", href: `#/admin/${name}` },
      icon(drawing),
      h(
        "span",
        { class: "grow" },
        h("strong", {}, t(`admin.place.${name}`)),
        h("span", { class: "small quiet place-text" }, text),
      ),
    ),
  );
