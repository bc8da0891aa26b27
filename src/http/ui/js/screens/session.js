// One session: photos with faces beside the list of students, what adds up, and its end.

import * as api from "../api.js";
import { h, refill } from "../dom.js";
import { backLink, button, downloadButton } from "../parts/button.js";
import { confirmed } from "../parts/dialog.js";
import { icon } from "../parts/icon.js";
import { sessionTag } from "../parts/session-row.js";
import { say } from "../parts/toast.js";
import { go } from "../router.js";
import * as school from "../school.js";
import { has, t, when } from "../text.js";
import { onUploads, waiting } from "../uploads.js";
import { mayRecord } from "../viewer.js";
import { changeSession } from "./session/change.js";
import { confirmSession, reopenSession } from "./session/confirm.js";
import { importSheet } from "./session/corrected-sheet.js";
import { otherSheet } from "./session/download.js";
import { forgetFaces } from "./session/faces.js";
import { SessionModel } from "./session/model.js";
import { photosPart } from "./session/photos.js";
import { studentsPart } from "./session/students.js";

export async function show({ params, query, signal }) {
  const model = await new SessionModel(Number(params.session), signal).load();
  model.follow();
  signal.addEventListener("abort", forgetFaces);
  // A photo that has arrived is there before its first event.
  let open = waiting(model.id).length;
  const stop = onUploads(() => {
    const now = waiting(model.id).length;
    if (now < open) model.gather();
    else if (now > open) model.tell();
    open = now;
  });
  signal.addEventListener("abort", stop);

  const photos = photosPart(model, Number(query.get("photo")) || null);
  const title = t("session.title", { class: school.className(model.class), when: when(model.session.starts_at) });
  const [state, actions] = [h("div", { class: "session-state-line" }), h("div", { class: "head-actions" })];
  const notices = h("div", { class: "notices", "aria-live": "polite" });
  const foot = h("div", { class: "session-foot" });
  const showAround = () => {
    refill(state, stateOf(model));
    refill(actions, h("div", { class: "head-actions", data: { key: "actions" } }, actionsOf(model)));
    refill(notices, noticesOf(model));
    refill(foot, footOf(model));
  };
  model.onChange(showAround);
  showAround();
  return {
    title,
    body: [
      backLink(t("session.back"), "#/sessions"),
      // The name stays when what is known of the session changes: the focus may be on it.
      h("div", { class: "head" }, h("div", {}, h("h1", {}, title), state), actions),
      notices,
      h("div", { class: "session" }, photos.element, studentsPart(model, photos.look)),
      foot,
    ],
  };
}

/** How it stands, what it is of, and how it was signed. */
function stateOf(model) {
  const { session } = model;
  const { confirmation } = session;
  const subject = model.subjects.find((item) => item.id === session.subject_id)?.name;
  return [
    h(
      "p",
      { class: "row quiet" },
      sessionTag(session),
      [...new Set([subject, session.name])].filter(Boolean).map((text) => h("span", {}, text)),
      session.confirmed_by &&
        h("span", {}, t("session.confirmed", { name: session.confirmed_by, when: when(session.confirmed_at) })),
    ),
    session.remark && h("p", { class: "small note" }, session.remark),
    confirmation?.reason &&
      h(
        "p",
        { class: "small quiet" },
        t("session.confirmedWhy", {
          differences: confirmation.differences.map((item) => item.text).join("; "),
          reason: confirmation.reason,
        }),
      ),
  ];
}

function actionsOf(model) {
  const mayChange = mayRecord() && !model.isConfirmed;
  // The service keeps what somebody has said, and asks for photos to be removed one by one.
  const isEmpty = model.photos.length === 0 && waiting(model.id).length === 0 && model.records.every(({ source }) => source === "auto");
  return [
    downloadButton(t("session.download"), () => api.file(`/sessions/${model.id}/sheet`, { format: "xlsx" })),
    button(t("session.otherForms"), () => otherSheet(model.session), { kind: "plain" }),
    mayChange && button(t("sheet.action"), () => importSheet(model), { icon: "upload", kind: "plain" }),
    mayChange && button(t("action.change"), () => changeSession(model), { kind: "plain", label: t("session.changeTitle") }),
    mayChange && isEmpty && button("", () => removeSession(model), { icon: "trash", kind: "plain", label: t("session.delete") }),
  ];
}

/** Flags of what the photo and the list beside it show. */
const SEEN_ANYWAY = ["doubts", "strangers"];

/** A flag that is new to the page is shown as the service writes it: it is there to be seen. */
const flagText = (flag) => (has(`session.flag.${flag}`) ? t(`session.flag.${flag}`) : flag);

/** What the session should be read with: its flags, and how the next photo would be better. */
function noticesOf(model) {
  // What the service says of single photos, such as which other session has the same picture.
  const warnings = [...new Set(model.photos.flatMap((photo) => photo.warnings))];
  const flags = model.session.flags.filter((flag) => !SEEN_ANYWAY.includes(flag));
  const advice = model.isConfirmed ? [] : model.photos.flatMap((photo) => photo.advice);
  const texts = [...new Map(advice.map((item) => [item.code, item.text])).values()];
  const leftOut = model.photos.reduce((sum, photo) => sum + (photo.faces_left_out ?? 0), 0);
  return [
    !model.connected && h("p", { class: "notice notice-warn" }, icon("alert"), t("session.offline")),
    flags.map((flag) => h("p", { class: "notice notice-warn" }, icon("alert"), flagText(flag))),
    leftOut > 0 && h("p", { class: "notice notice-warn" }, icon("alert"), t("session.leftOut", { count: leftOut })),
    warnings.map((text) => h("p", { class: "notice notice-warn" }, icon("alert"), text[0].toUpperCase() + text.slice(1))),
    texts.map((text) => h("p", { class: "notice" }, icon("camera"), `${t("session.retake")}: ${text}`)),
  ];
}

/** The line that adds up, and the way on, at hand on every screen. */
function footOf(model) {
  const { count } = model;
  if (model.isWaiting) return h("p", { class: "heads" }, icon("history"), t("session.looking"));
  const line = count.people === 0 ? null : h("p", { class: "heads" }, icon(count.adds_up ? "check" : "people"), t("session.heads", count), count.adds_up && h("strong", { class: "good" }, ` ${t("session.addsUp")}`));
  const act = model.isConfirmed
    ? button(t("session.reopen"), () => reopenSession(model), { icon: "undo" })
    : button(t("session.confirm"), () => confirmSession(model), { kind: "primary", large: true, icon: "check" });
  return [line, mayRecord() && h("div", { data: { key: "confirm" } }, act)];
}

async function removeSession(model) {
  if (!(await confirmed(t("session.delete"), t("session.deleteText"), t("action.delete")))) return;
  await api.remove(`/sessions/${model.id}`);
  say(t("session.deleted"));
  go("/sessions");
}
