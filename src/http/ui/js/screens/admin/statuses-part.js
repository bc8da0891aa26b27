// The five statuses: how they are called, counted and coloured, with a look at them before they are saved.

import * as api from "../../api.js";
import { fill, freshId, h } from "../../dom.js";
import { button, working } from "../../parts/button.js";
import { confirmed } from "../../parts/dialog.js";
import { field, input } from "../../parts/form.js";
import { icon } from "../../parts/icon.js";
import { why } from "../../parts/states.js";
import { loadStyles, readable, STATUSES } from "../../parts/status.js";
import { say } from "../../parts/toast.js";
import { refresh } from "../../router.js";
import { number, t } from "../../text.js";
import { alike, contrast, DARK, ENOUGH, LIGHT } from "./contrast.js";

export async function statusesPart({ signal }) {
  const { items } = await api.get("/status-styles", null, signal);
  const styles = STATUSES.map((status) => items.find((item) => item.status === status));
  return new StatusForm(styles).element;
}

class StatusForm {
  constructor(styles) {
    this.before = JSON.stringify(styles);
    this.error = h("p", { class: "form-error", role: "alert", hidden: true });
    this.submit = button(t("action.save"), null, { kind: "primary", type: "submit" });
    this.state = h("p", { class: "small quiet", role: "status" });
    this.rows = styles.map((style) => new StatusRow(style));
    const discard = button(t("admin.settings.reset"), refresh, { kind: "plain" });
    this.discard = discard;
    const back = button(t("admin.settings.toSettings"), toSettings, { kind: "plain" });
    this.element = h(
      "form",
      {
        on: {
          submit: (event) => (event.preventDefault(), this.save()),
          input: () => this.look(),
          change: () => this.look(),
        },
      },
      h("p", { class: "quiet admin-intro" }, t("admin.settings.statusesText")),
      h(
        "div",
        { class: "status-rows" },
        this.rows.map((row) => row.element),
      ),
      this.error,
      h("div", { class: "session-foot" }, this.state, h("div", { class: "row" }, back, discard, this.submit)),
    );
    this.look();
  }

  /** Shows what was set, and what is not good about it. */
  look() {
    const styles = this.rows.map((row) => row.value());
    this.rows.forEach((row, i) => row.show(styles.filter((_, other) => other !== i)));
    const changed = JSON.stringify(styles) !== this.before;
    this.submit.disabled = !changed;
    this.discard.hidden = !changed;
    this.state.textContent = changed ? t("admin.settings.notSaved") : "";
  }

  save() {
    this.error.hidden = true;
    working(this.submit, async () => {
      try {
        const styles = this.rows.map((row) => row.value());
        await api.put("/status-styles", { items: styles });
        await loadStyles();
        this.before = JSON.stringify(styles);
        this.look();
        say(t("admin.settings.saved"));
      } catch (failed) {
        if (failed instanceof api.SignedOut) throw failed;
        fill(this.error, why(failed));
        this.error.hidden = false;
      }
    });
  }
}

/** Back to what the server's settings say of all five. */
async function toSettings() {
  const sure = await confirmed(
    t("admin.settings.toSettings"),
    t("admin.settings.toSettingsText"),
    t("admin.settings.toSettingsDo"),
    { danger: false },
  );
  if (!sure) return;
  await api.remove("/status-styles");
  await loadStyles();
  say(t("admin.settings.saved"));
  refresh();
}

/** One status of the five. */
class StatusRow {
  constructor(style) {
    this.status = style.status;
    const heading = freshId("status");
    this.label = input("label", { value: style.label, required: true, maxlength: 30 });
    this.short = input("short", { value: style.short, required: true, maxlength: 3, class: "short-input" });
    this.colour = input("colour", { type: "color", value: style.colour });
    // Present always counts, and what nobody has decided never does.
    this.counts =
      this.status === "unmarked"
        ? null
        : input("counts", {
            type: "checkbox",
            checked: style.points !== null,
            disabled: this.status === "present",
          });
    this.points = input("points", {
      type: "number",
      min: 0,
      max: 1,
      step: 0.01,
      inputmode: "decimal",
      value: style.points ?? 0,
      required: true,
    });
    this.pointsRow = field(t("admin.settings.points"), this.points);
    this.letter = [this.badge("light"), this.badge("dark")];
    this.remarks = h("ul", { class: "small status-remarks", "aria-live": "polite" });
    this.element = h(
      "div",
      { class: "card status-row", role: "group", "aria-labelledby": heading },
      h(
        "div",
        { class: "status-what" },
        h("h3", { id: heading }, t(`admin.settings.meaning.${this.status}`)),
        h(
          "div",
          { class: "row" },
          this.letter.map(({ element }) => element),
        ),
      ),
      h(
        "div",
        { class: "status-fields" },
        field(t("admin.settings.label"), this.label),
        field(t("admin.settings.short"), this.short),
        field(t("admin.settings.colour"), this.colour),
        this.counts
          ? h("div", { class: "status-points" }, this.pointsRow, field(t("admin.settings.counts"), this.counts))
          : h("p", { class: "small quiet status-points" }, t("admin.settings.neverCounts")),
      ),
      this.remarks,
    );
  }

  /** How it looks on one of the two pages, whichever is shown now. */
  badge(page) {
    const letter = h("span", { class: "status-letter" });
    const name = h("span", {});
    return { letter, name, element: h("span", { class: `status status-sample status-on-${page}` }, letter, name) };
  }

  value() {
    return {
      status: this.status,
      label: this.label.value.trim(),
      short: this.short.value.trim(),
      points: this.counts?.checked ? Number(this.points.value) : null,
      colour: this.colour.value,
    };
  }

  show(others) {
    const style = this.value();
    for (const { letter, name } of this.letter) {
      letter.textContent = style.short;
      letter.style.setProperty("--status", style.colour);
      letter.style.setProperty("--status-text", readable(style.colour));
      name.textContent = style.label;
    }
    this.pointsRow.hidden = !this.counts?.checked;
    this.points.disabled = !this.counts?.checked;
    const same = others.some((other) => other.short.toLowerCase() === style.short.toLowerCase());
    this.short.setCustomValidity(same ? t("admin.settings.sameShort", { short: style.short }) : "");
    fill(this.remarks, remarksOf(style, others, same));
  }
}

function remarksOf(style, others, same) {
  const [onLight, onDark] = [contrast(style.colour, LIGHT), contrast(style.colour, DARK)];
  const twin = others.find((other) => alike(other.colour, style.colour));
  const warnings = [
    same && t("admin.settings.sameShort", { short: style.short }),
    onLight < ENOUGH && t("admin.settings.contrastLight", { ratio: number(onLight, 1) }),
    onDark < ENOUGH && t("admin.settings.contrastDark", { ratio: number(onDark, 1) }),
    twin && t("admin.settings.alike", { other: twin.label || t(`admin.settings.meaning.${twin.status}`) }),
  ].filter(Boolean);
  if (warnings.length === 0) return h("li", { class: "remark-good" }, icon("check"), t("admin.settings.fine"));
  return warnings.map((text) => h("li", { class: "remark-warn" }, icon("alert"), text));
}
