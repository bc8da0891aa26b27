// Portraits of one class as a ZIP archive: sent, looked at in the background, and what became of each.

import * as api from "../../api.js";
import { fill, h } from "../../dom.js";
import { button, linkButton } from "../../parts/button.js";
import { field, select } from "../../parts/form.js";
import { icon } from "../../parts/icon.js";
import { forgetPortraits } from "../../parts/picture.js";
import { failure, why } from "../../parts/states.js";
import { say } from "../../parts/toast.js";
import { refresh, to } from "../../router.js";
import * as school from "../../school.js";
import { bytes, percent, t } from "../../text.js";
import { dropPlace } from "./drop.js";
import { portraitResult, problemsOf } from "./portrait-result.js";
import { progressBar } from "./progress.js";

export function portraitImport(classes, chosen, signal) {
  const portraits = new PortraitImport(classes, chosen, signal);
  return h(
    "section",
    { class: "admin-part stack" },
    h("h2", {}, t("admin.roster.zipTitle")),
    h("p", { class: "quiet admin-intro" }, t("admin.roster.zipText")),
    classes.length === 0 ? h("p", { class: "notice" }, t("admin.roster.noClasses")) : [portraits.form, portraits.place],
  );
}

class PortraitImport {
  file = null;
  /** Sending the same archive to the same class again is harmless. */
  key = null;

  constructor(classes, chosen, signal) {
    this.signal = signal;
    this.class = select(
      "class",
      [
        ["", t("admin.roster.zipChooseClass")],
        ...classes.map((item) => [item.id, school.nameInTerm(item)]),
      ],
      chosen || "",
    );
    this.class.addEventListener("change", () => {
      this.key = null;
      this.showSend();
    });
    this.drop = dropPlace({
      action: t("admin.roster.zipChoose"),
      kinds: [".zip"],
      name: "portraits",
      choose: (file) => this.choose(file),
    });
    this.sendButton = button(t("admin.roster.zipSend"), () => this.send(), {
      kind: "primary",
      large: true,
      icon: "upload",
    });
    this.form = h(
      "div",
      { class: "card stack import-form" },
      field(t("admin.roster.zipClass"), this.class),
      this.drop.element,
      this.sendButton,
    );
    this.place = h("div", { class: "stack import-result" });
    this.showSend();
  }

  choose(file) {
    this.file = file;
    this.key = null;
    this.drop.setText(`${file.name} (${bytes(file.size)})`);
    this.showSend();
  }

  /** The button says what is still missing. */
  showSend() {
    const missing = this.class.value === "" ? "zipNeedsClass" : this.file === null ? "zipNeedsFile" : null;
    this.sendButton.disabled = missing !== null;
    this.sendButton.querySelector("span").textContent = t(`admin.roster.${missing ?? "zipSend"}`);
  }

  async send() {
    this.key ??= api.freshKey();
    const stop = new AbortController();
    this.signal.addEventListener("abort", () => stop.abort());
    this.form.inert = true;
    const bar = h("div", {});
    const showShare = (share) =>
      fill(bar, progressBar(share, `${t("admin.roster.zipSending", { name: this.file.name })}: ${percent(share)}`));
    showShare(0);
    fill(
      this.place,
      h(
        "div",
        { class: "card stack" },
        bar,
        button(t("admin.roster.zipStop"), () => stop.abort()),
      ),
    );
    const form = new FormData();
    form.append("file", this.file, this.file.name);
    try {
      const job = await api.upload(`/enrolments?class_id=${this.class.value}`, form, {
        key: this.key,
        progress: showShare,
        signal: stop.signal,
      });
      await this.watch(job);
    } catch (error) {
      if (error instanceof api.SignedOut) throw error;
      if (error.name !== "AbortError")
        fill(
          this.place,
          failure(error, () => this.send()),
        );
      else if (!this.signal.aborted) {
        fill(this.place);
        say(t("admin.roster.zipStopped"));
      }
    } finally {
      this.form.inert = false;
    }
  }

  /** Follows the job until it is final. */
  async watch(job) {
    const bar = h("div", {});
    const show = ({ progress }) =>
      fill(
        bar,
        progress?.portraits > 0
          ? progressBar(
              progress.done / progress.portraits,
              t("admin.roster.zipWorking", { done: progress.done, all: progress.portraits }),
            )
          : progressBar(null, t("admin.roster.zipWaiting")),
      );
    show(job);
    fill(
      this.place,
      h(
        "div",
        { class: "card stack" },
        bar,
        h("p", { class: "small quiet" }, t("admin.roster.zipGoesOn")),
        linkButton(t("admin.roster.toJob"), to("/admin/jobs")),
      ),
    );
    const final = new AbortController();
    this.signal.addEventListener("abort", () => final.abort());
    let last = job;
    const look = async () => {
      last = await api.get(`/jobs/${job.id}`, null, final.signal);
      show(last);
      if (["done", "failed", "cancelled"].includes(last.state)) final.abort();
    };
    await api.follow(`/jobs/${job.id}/events`, () => look().catch(() => {}), final.signal);
    if (this.signal.aborted) return;
    if (!["done", "failed", "cancelled"].includes(last.state))
      last = await api.get(`/jobs/${job.id}`, null, this.signal);
    this.showResult(last);
  }

  showResult(job) {
    // Some may have been taken before it failed.
    school.forget();
    forgetPortraits();
    if (job.state !== "done") {
      const error = job.errors.at(-1);
      return fill(
        this.place,
        failure(
          new Error(
            error
              ? why(new api.Problem(422, { code: error.code, detail: error.message }))
              : t("admin.roster.zipFailed"),
          ),
          () => this.send(),
        ),
      );
    }
    const { length: count } = problemsOf(job.result);
    const text = count > 0 ? t("admin.roster.zipLook", { count }) : t("admin.roster.zipDone");
    say(text);
    fill(
      this.place,
      h(
        "p",
        { class: `notice ${count > 0 ? "notice-warn" : "notice-good"}` },
        icon(count > 0 ? "alert" : "check"),
        text,
      ),
      h("h3", {}, t("admin.roster.zipResult")),
      portraitResult(job.result),
      h(
        "div",
        { class: "row" },
        linkButton(t("admin.jobs.showClass"), `#/classes/${job.class_id ?? this.class.value}`, {
          kind: "primary",
        }),
        button(t("admin.roster.zipAgain"), refresh),
      ),
    );
    this.place.scrollIntoView({ block: "start" });
  }
}
