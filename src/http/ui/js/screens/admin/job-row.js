// One job in the list: what it is, how it stands, why it failed, what can be done.

import * as api from "../../api.js";
import { fill, h, replace } from "../../dom.js";
import { button, downloadButton, linkButton } from "../../parts/button.js";
import { confirmed, open } from "../../parts/dialog.js";
import { say } from "../../parts/toast.js";
import { go } from "../../router.js";
import * as school from "../../school.js";
import { has, t, when } from "../../text.js";
import { portraitResult } from "./portrait-result.js";
import { progressBar } from "./progress.js";

const TONE = { failed: "tag-bad", running: "", queued: "tag-warn", done: "tag-good", cancelled: "" };
const IS_FINAL = { done: true, failed: true, cancelled: true };

export class JobRow {
  shown = "";

  /** @param {() => any} after called when something was done to the job */
  constructor(classes, after) {
    this.classes = classes;
    this.after = after;
    this.text = h("div", { class: "grow job-text" });
    this.actions = h("div", { class: "job-actions" });
    this.element = h("li", { class: "job" }, this.text, this.actions);
  }

  show(job) {
    const now = JSON.stringify(job);
    if (now === this.shown) return;
    const before = this.shown === "" ? {} : JSON.parse(this.shown);
    this.shown = now;
    const wasOpen = this.text.querySelector("details")?.open;
    fill(this.text, headOf(job, this.classes), job.state === "running" && progressOf(job), errorsOf(job, wasOpen));
    // Buttons that are the same keep the focus.
    if (before.state !== job.state) replace(this.actions, this.buttons(job));
  }

  buttons(job) {
    // As a text: a number would be written in groups of three.
    const id = String(job.id);
    return [
      resultButton(job),
      job.photo_id !== null && button(t("admin.jobs.showPhoto"), () => showPhoto(job.photo_id), { kind: "plain" }),
      job.photo_id === null &&
        job.class_id !== null &&
        linkButton(t("admin.jobs.showClass"), `#/classes/${job.class_id}`, { kind: "plain" }),
      ["failed", "cancelled"].includes(job.state) &&
        button(t("admin.jobs.retry"), () => this.retry(id), {
          icon: "refresh",
          label: t("admin.jobs.retryLabel", { id }),
        }),
      !IS_FINAL[job.state] &&
        button(t("admin.jobs.cancel"), () => this.cancel(id), {
          kind: "danger",
          label: t("admin.jobs.cancelLabel", { id }),
        }),
    ];
  }

  async retry(id) {
    await api.post(`/jobs/${id}/retry`);
    say(t("admin.jobs.retried", { id }));
    await this.after();
  }

  async cancel(id) {
    if (!(await confirmed(t("admin.jobs.cancelTitle", { id }), t("admin.jobs.cancelText"), t("admin.jobs.cancelIt"))))
      return;
    await api.post(`/jobs/${id}/cancel`);
    say(t("admin.jobs.cancelled", { id }));
    await this.after();
  }
}

const kindName = (kind) => (has(`admin.jobs.kind.${kind}`) ? t(`admin.jobs.kind.${kind}`) : kind);

function headOf(job, classes) {
  const found = classes.find((item) => item.id === job.class_id);
  const more = [
    t("admin.jobs.number", { id: String(job.id) }),
    job.finished_at
      ? t("admin.jobs.finished", { when: when(job.finished_at) })
      : t("admin.jobs.made", { when: when(job.created_at) }),
    job.attempt > 0 &&
      (job.max_attempts > 1 || job.attempt > 1) &&
      !(job.state === "done" && job.attempt === 1) &&
      t("admin.jobs.attempt", { attempt: job.attempt, most: job.max_attempts }),
    job.state === "queued" &&
      Date.parse(job.due_at) > Date.now() &&
      t("admin.jobs.due", { when: when(job.due_at, "time") }),
    job.owner && t("admin.jobs.asked", { who: ownerName(job.owner) }),
  ];
  return [
    h(
      "p",
      { class: "row" },
      h("span", { class: `tag ${TONE[job.state]}` }, t(`admin.jobs.state.${job.state}`)),
      h("strong", {}, kindName(job.kind), found && ` ${t("admin.jobs.ofClass", { class: school.className(found) })}`),
    ),
    h("p", { class: "small quiet" }, more.filter(Boolean).join(" · ")),
  ];
}

function ownerName(owner) {
  const [kind, id] = owner.split(":");
  return has(`admin.jobs.${kind}Owner`) ? t(`admin.jobs.${kind}Owner`, { id }) : owner;
}

function progressOf({ progress }) {
  if (progress?.portraits > 0)
    return progressBar(
      progress.done / progress.portraits,
      t("admin.jobs.progress", { done: progress.done, all: progress.portraits }),
    );
  return progressBar(null, t("admin.jobs.working"));
}

/** The last error in full, the earlier ones on demand. */
function errorsOf({ errors, state }, wasOpen) {
  if (errors.length === 0) return null;
  const last = errors.at(-1);
  const earlier = errors.slice(0, -1);
  return [
    h(
      "p",
      { class: state === "failed" ? "job-error" : "job-error job-error-past" },
      h("strong", {}, last.code),
      ` ${last.message}`,
    ),
    earlier.length > 0 &&
      h(
        "details",
        { open: wasOpen },
        h("summary", { class: "small" }, t("admin.jobs.earlier", { count: earlier.length })),
        h(
          "ol",
          { class: "stack small" },
          earlier.map((error) =>
            h(
              "li",
              {},
              h(
                "p",
                { class: "quiet" },
                t("admin.jobs.attemptFailed", { attempt: error.attempt, when: when(error.at) }),
              ),
              h("p", {}, h("strong", {}, error.code), ` ${error.message}`),
            ),
          ),
        ),
      ),
  ];
}

/** What a job that is done has made. */
function resultButton({ kind, state, result }) {
  if (state !== "done" || result === null) return null;
  if (kind === "enrolment") return button(t("admin.jobs.showResult"), () => showPortraits(result));
  if (kind !== "export" || !result.export_id) return null;
  return downloadButton(t("admin.jobs.download"), () => api.file(`/exports/${result.export_id}/file`));
}

function showPortraits(result) {
  open({ title: t("admin.roster.zipResult"), body: h("div", { class: "stack" }, portraitResult(result)), wide: true });
}

/** A job knows its photo only; the photo knows its session. */
async function showPhoto(id) {
  try {
    const photo = await api.get(`/photos/${id}`);
    go(`/sessions/${photo.session_id}`, { photo: id });
  } catch (error) {
    if (error.code !== "PHOTO_NOT_FOUND") throw error;
    say(t("admin.jobs.noSession"), { kind: "failure" });
  }
}
