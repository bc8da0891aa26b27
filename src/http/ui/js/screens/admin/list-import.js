// A list of students as CSV: compared, shown, and only then taken over.

import * as api from "../../api.js";
import { fill, freshId, h } from "../../dom.js";
import { button, linkButton, save } from "../../parts/button.js";
import { field, input } from "../../parts/form.js";
import { icon } from "../../parts/icon.js";
import { forgetPortraits } from "../../parts/picture.js";
import { failure, loading } from "../../parts/states.js";
import { table } from "../../parts/table.js";
import { say } from "../../parts/toast.js";
import { refresh } from "../../router.js";
import * as school from "../../school.js";
import { t } from "../../text.js";
import { differences, changesOf } from "./differences.js";
import { dropPlace } from "./drop.js";

const COLUMNS = "class,section,name,roll_no,prn,email,consent\r\n";

export function listImport(classes, signal) {
  const list = new ListImport(classes, signal);
  return h(
    "section",
    { class: "admin-part stack" },
    h("h2", {}, t("admin.roster.listTitle")),
    h("p", { class: "quiet admin-intro" }, t("admin.roster.listText")),
    list.form,
    list.place,
  );
}

class ListImport {
  file = null;

  constructor(classes, signal) {
    this.signal = signal;
    const terms = [...new Set(classes.map((item) => item.term))].sort().reverse();
    const known = freshId("terms");
    this.term = input("term", { maxlength: 50, list: known });
    this.term.addEventListener("change", () => this.file && this.compare());
    this.drop = dropPlace({
      action: t("admin.roster.choose"),
      kinds: [".csv", ".txt"],
      name: "list",
      choose: (file) => this.choose(file),
    });
    const template = button(
      t("admin.roster.template"),
      () => save(new Blob([COLUMNS], { type: "text/csv" }), t("admin.roster.templateName")),
      { kind: "plain", icon: "download" },
    );
    this.form = h(
      "div",
      { class: "card stack import-form" },
      this.drop.element,
      h(
        "div",
        { class: "import-more" },
        field(t("admin.roster.term"), this.term, t("admin.roster.termHint")),
        template,
      ),
      h(
        "datalist",
        { id: known },
        terms.map((term) => h("option", { value: term })),
      ),
    );
    this.place = h("div", { class: "stack import-result" });
  }

  choose(file) {
    this.file = file;
    this.drop.setText(t("admin.roster.chooseOther"));
    return this.compare();
  }

  /** Asks what the list would change. Nothing does yet. */
  async compare() {
    fill(this.place, loading(t("admin.roster.comparing", { name: this.file.name })));
    try {
      this.showPreview(await this.send("preview"));
    } catch (error) {
      this.showRefusal(error);
    }
    this.look();
  }

  async send(mode) {
    const form = new FormData();
    // Read here: a file that was changed since it was chosen cannot be sent.
    const bytes = await this.file.arrayBuffer().catch(() => {
      throw new Error(t("admin.roster.changedFile"));
    });
    form.append("file", new Blob([bytes], { type: "text/csv" }), this.file.name);
    return api.send(`/roster/imports`, form, {
      query: { mode, term: this.term.value.trim() },
      signal: this.signal,
    });
  }

  showPreview(answer) {
    const count = changesOf(answer);
    const apply = button(t("admin.roster.apply", { count }), () => this.apply(count), {
      kind: "primary",
      large: true,
      icon: "check",
    });
    fill(
      this.place,
      h("h3", { tabindex: "-1" }, t("admin.roster.previewTitle", { name: this.file.name })),
      count === 0 && h("p", { class: "notice notice-good" }, icon("check"), t("admin.roster.nothing")),
      differences(answer),
      h(
        "div",
        { class: "session-foot import-foot" },
        button(t(count > 0 ? "admin.roster.leave" : "action.close"), () => this.reset()),
        count > 0 && apply,
      ),
    );
  }

  async apply(count) {
    try {
      const answer = await this.send("apply");
      school.forget();
      // Whose consent is withdrawn has no pictures any more.
      forgetPortraits();
      say(t("admin.roster.applied", { count }));
      this.showApplied(answer, changesOf(answer));
    } catch (error) {
      if (error.name === "AbortError") throw error;
      this.showRefusal(error);
    }
    this.look();
  }

  /** Brings what came of it into view, and to those who hear the page. */
  look() {
    this.place.querySelector("h3")?.focus({ preventScroll: true });
    this.place.scrollIntoView({ block: "start" });
  }

  showApplied(answer, count) {
    fill(
      this.place,
      h("h3", { tabindex: "-1" }, t("admin.roster.appliedTitle", { name: this.file.name })),
      h("p", { class: "notice notice-good" }, icon("check"), t("admin.roster.applied", { count })),
      answer.stale_sessions > 0 &&
        h(
          "p",
          { class: "notice notice-warn" },
          icon("alert"),
          t("admin.roster.stale", { count: answer.stale_sessions }),
        ),
      differences(answer),
      h(
        "div",
        { class: "row" },
        linkButton(t("admin.roster.toClasses"), "#/classes", { kind: "primary" }),
        button(t("admin.roster.another"), refresh),
      ),
    );
  }

  showRefusal(error) {
    if (error instanceof api.SignedOut) throw error;
    if (error.name === "AbortError") return;
    const lines = error.errors ?? [];
    if (lines.length === 0)
      return fill(
        this.place,
        failure(error, () => this.compare()),
      );
    fill(
      this.place,
      h("h3", { tabindex: "-1" }, t("admin.roster.errorsTitle", { count: lines.length, name: this.file.name })),
      h("p", { class: "notice notice-bad" }, icon("alert"), t("admin.roster.errorsText")),
      errorTable(lines, this.file.name),
    );
  }

  reset() {
    this.file = null;
    this.drop.setText(t("admin.roster.choose"));
    fill(this.place);
    this.drop.element.querySelector("button").focus();
  }
}

/** The service names a place as `line 12, roll_no`. */
function placeOf(item) {
  const found = /^line (\d+)(?:, (.+))?$/.exec(item);
  return found ? { line: found[1], column: found[2] ?? "–" } : { line: "–", column: item };
}

const errorTable = (errors, name) =>
  table({
    caption: t("admin.roster.errorsTitle", { count: errors.length, name }),
    columns: [
      { title: t("admin.roster.errors.line"), head: true, cell: (error) => placeOf(error.item).line },
      { title: t("admin.roster.errors.column"), cell: (error) => h("code", {}, placeOf(error.item).column) },
      { title: t("admin.roster.errors.problem"), cell: (error) => error.detail },
    ],
    rows: errors,
  });
