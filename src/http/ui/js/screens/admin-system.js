// What the service runs: its model, packs, provider, and what is known of its storage.

import * as api from "../api.js";
import { h } from "../dom.js";
import { button } from "../parts/button.js";
import { icon } from "../parts/icon.js";
import { empty, failure } from "../parts/states.js";
import { table } from "../parts/table.js";
import { refresh } from "../router.js";
import { bytes, dayOf, number, t } from "../text.js";
import { providerName } from "./admin/attention.js";
import { facts } from "./admin/facts.js";
import { head } from "./admin/head.js";

export async function show({ signal }) {
  const title = t("admin.system.title");
  const [health, model, packs, storage] = await Promise.allSettled([
    api.health(signal),
    ...["/model-info", "/packs", "/storage"].map((path) => api.get(path, null, signal)),
  ]);
  const over = [health, model, packs, storage].find(({ reason }) => reason instanceof api.SignedOut);
  if (over) throw over.reason;
  return {
    title,
    body: [
      head(title, button(t("admin.system.refresh"), refresh, { icon: "refresh" })),
      part(t("admin.system.service"), health, serviceFacts),
      part(t("admin.system.model"), model, modelFacts),
      model.status === "fulfilled" && part(t("admin.system.lines"), model, lineFacts),
      part(t("admin.system.packs"), packs, packTable),
      part(t("admin.system.storage"), storage, storageFacts),
    ],
  };
}

/** A part that failed says why; the others are shown all the same. */
const part = (title, { status, value, reason }, content) =>
  h(
    "section",
    { class: "admin-part" },
    h("h2", {}, title),
    h("div", { class: "card stack" }, status === "fulfilled" ? content(value) : failure(reason, refresh)),
  );

const fact = (name, value) => [t(`admin.system.facts.${name}`), value];

const serviceFacts = (health) =>
  facts([
    fact(
      "status",
      h(
        "span",
        { class: `tag ${health.status === "ok" ? "tag-good" : "tag-bad"}` },
        t(`admin.system.status.${health.status}`),
      ),
    ),
    fact("version", health.version),
    fact("pack", health.pack),
    fact("provider", providerName(health.provider)),
  ]);

const modelFacts = (model) => [
  model.provider_note &&
    h(
      "p",
      { class: "notice notice-warn" },
      icon("alert"),
      h("span", {}, `${t("admin.warn.cpu")}: ${model.provider_note}`),
    ),
  model.untested &&
    h(
      "p",
      { class: "notice notice-warn" },
      icon("alert"),
      h("span", {}, `${t("admin.warn.untested")}: ${model.untested}`),
    ),
  facts([
    fact("title", model.title),
    fact("pack", model.pack),
    fact("provider", providerName(model.provider)),
    fact("runtime", `${model.runtime.name} ${model.runtime.version ?? ""}`),
    fact("build", h("span", { class: "small breaks" }, model.runtime.build)),
    fact("licence", model.licence),
    fact("commercial", tag(model.commercial_use, t(`admin.system.commercial${model.commercial_use ? "Yes" : "No"}`))),
    fact("notes", model.licence_notes),
    fact("detector", model.detector),
    fact("input", inputOf(model.input)),
    fact("alignment", model.input.alignment),
    fact("dims", t(`admin.system.${model.normalise ? "dimsNormal" : "dims"}`, { count: model.dims })),
  ]),
];

const inputOf = ({ size_px: [width, height], layout, colour }) =>
  t("admin.system.pixels", { width, height, layout: layout.toUpperCase(), colour: colour.toUpperCase() });

const tag = (good, text) => h("span", { class: `tag ${good ? "tag-good" : "tag-warn"}` }, text);

const lineFacts = ({ lines }) => [
  h("p", { class: "quiet" }, t("admin.system.linesText")),
  !lines.calibrated && h("p", { class: "notice notice-warn" }, icon("alert"), t("admin.system.uncalibratedText")),
  facts([
    fact("status", tag(lines.calibrated, t(`admin.system.${lines.calibrated ? "calibrated" : "uncalibrated"}`))),
    fact("accept", distance(lines.accept, lines.accept_cosine)),
    fact("doubt", distance(lines.doubt, lines.doubt_cosine)),
    fact("margin", number(lines.margin, 2)),
    fact("data", lines.data),
    fact("rule", lines.rule),
    fact("date", /^\d{4}-\d\d-\d\d$/.test(lines.date) ? dayOf(lines.date, "date") : lines.date),
    fact(
      "comparisons",
      t("admin.system.comparisons", { genuine: lines.genuine_comparisons, impostor: lines.impostor_comparisons }),
    ),
  ]),
];

const distance = (value, cosine) =>
  cosine === null
    ? t("admin.system.distance", { value: number(value, 2) })
    : t("admin.system.cosine", { value: number(value, 2), cosine: number(cosine, 3) });

const packTable = ({ items }) => [
  table({
    caption: t("admin.system.packs"),
    columns: [
      {
        title: t("admin.system.columns.pack"),
        head: true,
        cell: (pack) => [
          h("strong", {}, pack.version ? `${pack.id}@${pack.version}` : pack.id),
          pack.title && h("span", { class: "small quiet below" }, pack.title),
        ],
      },
      {
        title: t("admin.system.columns.state"),
        cell: (pack) => [
          h("span", { class: "row" }, packTags(pack)),
          pack.problem && h("span", { class: "small below" }, pack.problem),
          pack.untested && h("span", { class: "small quiet below" }, pack.untested),
        ],
      },
      {
        title: t("admin.system.columns.licence"),
        wide: true,
        cell: (pack) => h("span", { class: "small" }, pack.licence ?? "–"),
      },
    ],
    rows: items,
    empty: empty(t("admin.system.noPacks"), t("admin.system.noPacksText")),
  }),
  h("p", { class: "small quiet" }, t("admin.system.packsText")),
];

const packTags = (pack) => [
  pack.in_use && h("span", { class: "tag" }, t("admin.system.pack.inUse")),
  tag(pack.ready, t(`admin.system.pack.${pack.ready ? "ready" : "notReady"}`)),
  pack.untested && tag(false, t("admin.system.pack.untested")),
  pack.calibrated === false && tag(false, t("admin.system.pack.uncalibrated")),
  pack.commercial_use === false && tag(false, t("admin.system.pack.noncommercial")),
];

/** Less room than photos of so long would take is worth a warning, days. */
const SHORT_DAYS = 60;
const MONTH_DAYS = 30;
/** Nobody knows the pace of the years to come. */
const MANY_DAYS = 1095;

const storageFacts = (storage) => {
  const days = storage.kind === "local" ? daysLeft(storage) : null;
  return [
    days !== null &&
      days < SHORT_DAYS &&
      h("p", { class: "notice notice-warn" }, icon("alert"), t("admin.system.fullSoon", { count: days })),
    facts([
      fact("place", t(`admin.system.place.${storage.kind}`)),
      fact("photos", amount(storage.photos)),
      fact("recent", amount(storage.photos_last_30_days)),
      fact("samples", number(storage.samples)),
      fact("documents", amount(storage.documents)),
      fact("database", bytes(storage.database_bytes)),
      fact("free", storage.free_bytes === null ? t("admin.system.freeUnknown") : bytes(storage.free_bytes)),
      days !== null && fact("enough", days > MANY_DAYS ? t("admin.system.enoughYears") : t("admin.system.enough", { count: days })),
    ]),
    h("p", { class: "small quiet" }, t("admin.system.storageText")),
  ];
};

const amount = ({ count, bytes: size }) => t("admin.system.amount", { count, size: bytes(size) });

/** How long the free space lasts when photos go on coming as they did; null when none came, or nothing is known. */
function daysLeft({ free_bytes: free, photos_last_30_days: { bytes: month } }) {
  return free === null || month === 0 ? null : Math.floor((free / month) * MONTH_DAYS);
}
