// What an administrator should look at, the worst first.

import { to } from "../../router.js";
import { has, t } from "../../text.js";

/** Tokens that end so soon are named. */
const SOON_MS = 14 * 24 * 60 * 60 * 1000;

/** @returns {Array<{tone: "bad"|"warn", drawing: string, title: string, text: string|null, href: string}>} */
export function attention(known) {
  return [...ofService(known), ...ofModel(known), ...ofPeople(known)].sort((a, b) => a.tone.localeCompare(b.tone));
}

const need = (tone, drawing, title, text, href) => ({ tone, drawing, title, text, href });
const SYSTEM = to("/admin/system");

function ofService({ health, failed, packs, refused }) {
  const broken = (packs ?? []).filter((pack) => pack.in_use && !pack.ready);
  const others = (packs ?? []).filter((pack) => !pack.in_use && !pack.ready);
  const reasons = (list) => list.map((pack) => (pack.problem ? `${pack.id}: ${pack.problem}` : pack.id)).join("; ");
  const unknown = refused.filter(({ name, code }) => name !== "model" || code !== "MODEL_NOT_LOADED");
  return [
    health?.status === "unavailable" &&
      need("bad", "alert", t("admin.warn.unavailable"), t("admin.warn.unavailableText"), SYSTEM),
    failed > 0 &&
      need(
        "bad",
        "alert",
        t("admin.warn.failedJobs", { count: failed }),
        t("admin.warn.failedJobsText"),
        to("/admin/jobs", { state: "failed" }),
      ),
    broken.length > 0 && need("bad", "alert", t("admin.warn.packs", { count: broken.length }), reasons(broken), SYSTEM),
    others.length > 0 &&
      need("warn", "alert", t("admin.warn.packs", { count: others.length }), reasons(others), SYSTEM),
    unknown.length > 0 &&
      need("warn", "question", t("admin.unknown"), [...new Set(unknown.map(({ reason }) => reason))].join(" "), SYSTEM),
  ].filter(Boolean);
}

function ofModel({ model, refused }) {
  const none = refused.find(({ code }) => code === "MODEL_NOT_LOADED");
  if (none) return [need("bad", "alert", t("admin.warn.noModel"), none.reason, SYSTEM)];
  if (model === null) return [];
  return [
    model.provider === "cpu" &&
      model.provider_note &&
      need("warn", "shield", t("admin.warn.cpu"), model.provider_note, SYSTEM),
    !model.lines.calibrated &&
      need("warn", "shield", t("admin.warn.uncalibrated"), t("admin.warn.uncalibratedText"), SYSTEM),
    model.untested && need("warn", "shield", t("admin.warn.untested"), model.untested, SYSTEM),
    !model.commercial_use && need("warn", "file", t("admin.warn.noncommercial"), model.title, SYSTEM),
  ].filter(Boolean);
}

function ofPeople({ users, tokens, classes }) {
  const locked = (users ?? []).filter(isLocked);
  const without = (users ?? []).filter((user) => user.role === "teacher" && user.classes.length === 0);
  const ending = (tokens ?? []).filter(
    (token) => token.expires_at && Date.parse(token.expires_at) - Date.now() < SOON_MS,
  );
  const names = (list) =>
    list
      .slice(0, 5)
      .map((item) => item.display_name ?? item.name)
      .join(", ") + (list.length > 5 ? " …" : "");
  return [
    classes?.length === 0 &&
      need("bad", "people", t("admin.warn.noClasses"), t("admin.warn.noClassesText"), to("/admin/roster")),
    locked.length > 0 &&
      need("warn", "people", t("admin.warn.locked", { count: locked.length }), names(locked), to("/admin/users")),
    without.length > 0 &&
      need(
        "warn",
        "people",
        t("admin.warn.noTeacherClasses", { count: without.length }),
        names(without),
        to("/admin/users", { role: "teacher" }),
      ),
    ending.length > 0 &&
      need("warn", "file", t("admin.warn.expiring", { count: ending.length }), names(ending), to("/admin/tokens")),
  ].filter(Boolean);
}

export const isLocked = (user) => user.locked_until !== null && Date.parse(user.locked_until) > Date.now();

/** What the nets run on, in words. */
export const providerName = (provider) =>
  has(`admin.system.provider.${provider}`) ? t(`admin.system.provider.${provider}`) : provider;
