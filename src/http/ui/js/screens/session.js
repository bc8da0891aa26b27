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
import { confirmSession, reopenSession } from "./session/confirm.js";
import { importSheet } from "./session/corrected-sheet.js";
import { forgetFaces } from "./session/faces.js";
import { SessionModel } from "./session/model.js";
import { photosPart } from "./session/photos.js";
import { studentsPart } from "./session/students.js";

export async function show({ params, signal }) {
  const model = await new SessionModel(Number(params.session), signal).load();
  model.follow();
  signal.addEventListener("abort", forgetFaces);
  // A photo that has arrived is there before its first event.
  let open = waiting(model.id).length;
  const stop = onUploads(() => {
    const now = waiting(model.id).length;
    if (now < open) model.load().catch(() => {});
    else if (now > open) model.tell();
    open = now;
  });
  signal.addEventListener("abort", stop);

  const photos = photosPart(model);
  const head = h("div", { class: "head" });
  const notices = h("div", { class: "notices", "aria-live": "polite" });
  const foot = h("div", { class: "session-foot" });
  const title = t("session.title", { class: school.className(model.class), when: when(model.session.starts_at) });
  const showAround = () => {
    refill(head, headOf(model, title));
    refill(notices, noticesOf(model));
    refill(foot, footOf(model));
  };
  model.onChange(showAround);
  showAround();
  return {
    title,
    body: [
      backLink(t("session.back"), "#/sessions"),
      head,
      notices,
      h("div", { class: "session" }, photos.element, studentsPart(model, photos.look)),
      foot,
    ],
  };
}

function headOf(model, title) {
  const { session } = model;
  const sheet = (format) => () => api.file(`/sessions/${model.id}/sheet`, { format });
  return [
    h(
      "div",
      {},
      h("h1", {}, title),
      h(
        "p",
        { class: "row quiet" },
        sessionTag(session),
        session.name && h("span", {}, session.name),
        session.confirmed_by && h("span", {}, t("session.confirmed", { name: session.confirmed_by, when: when(session.confirmed_at) })),
      ),
    ),
    h("div", { class: "head-actions", data: { key: "actions" } }, [
      downloadButton(t("session.download"), sheet("xlsx")),
      downloadButton(t("session.downloadCsv"), sheet("csv"), { kind: "plain" }),
      mayRecord() && session.state !== "confirmed" && button(t("sheet.action"), () => importSheet(model), { icon: "upload", kind: "plain" }),
      mayRecord() && session.state !== "confirmed" && button("", () => removeSession(model), { icon: "trash", kind: "plain", label: t("session.delete") }),
    ]),
  ];
}

/** What the session should be read with: its flags, and how the next photo would be better. */
function noticesOf(model) {
  const flags = model.session.flags.filter((flag) => has(`session.flag.${flag}`) && !["doubts", "strangers"].includes(flag));
  const advice = model.isConfirmed ? [] : model.photos.flatMap((photo) => photo.advice);
  const texts = [...new Map(advice.map((item) => [item.code, item.text])).values()];
  return [
    !model.connected && h("p", { class: "notice notice-warn" }, icon("alert"), t("session.offline")),
    flags.map((flag) => h("p", { class: "notice notice-warn" }, icon("alert"), t(`session.flag.${flag}`))),
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
