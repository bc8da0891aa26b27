// Forms: fields with their labels, hints and errors, and dialogs that ask for a few of them.

import { SignedOut } from "../api.js";
import { fill, freshId, h } from "../dom.js";
import { t } from "../text.js";
import { button, working } from "./button.js";
import * as dialog from "./dialog.js";
import { why } from "./states.js";

/**
 * A field with its label. `input` is any form control; its name is the key of the form's values.
 *
 * @param {string} label
 * @param {HTMLElement} input
 * @param {string} [hint]
 */
export function field(label, input, hint) {
  input.id ||= freshId("field");
  const hintId = hint && `${input.id}-hint`;
  if (hint) input.setAttribute("aria-describedby", hintId);
  const box = input.type === "checkbox";
  return h(
    "div",
    { class: `field ${box ? "field-check" : ""}` },
    box ? [input, h("label", { for: input.id }, label)] : [h("label", { for: input.id }, label), input],
    hint && h("p", { class: "hint", id: hintId }, hint),
  );
}

export const input = (name, attributes = {}) => h("input", { name, type: "text", autocomplete: "off", ...attributes });

export const area = (name, value = "", attributes = {}) => h("textarea", { name, rows: 3, ...attributes }, value);

/** @param {Array<[string, string]>} options value and text */
export const select = (name, options, chosen, attributes = {}) =>
  h(
    "select",
    { name, ...attributes },
    options.map(([value, text]) => h("option", { value, selected: String(value) === String(chosen ?? "") }, text)),
  );

/** A few choices side by side. @param {Array<[string, string]>} options */
export function segments(legend, name, options, chosen, onChange = () => {}) {
  return h(
    "fieldset",
    { class: "segments" },
    h("legend", { class: "visually-hidden" }, legend),
    options.map(([value, text]) => {
      const id = freshId(name);
      return [
        h("input", { type: "radio", name, id, value, checked: value === chosen, on: { change: () => onChange(value) } }),
        h("label", { for: id }, text),
      ];
    }),
  );
}

/** Fields that are sent before others of the same form. */
export const part = (...fields) => h("fieldset", { class: "form" }, fields);

/** What stands in a part is sent; what comes after it was refused and is sent again alone. */
export function settle(part, text) {
  if (part.disabled) return;
  part.disabled = true;
  part.append(h("p", { class: "notice notice-good", role: "status" }, text));
}

/** What stands in a form: text by name, null where it is empty, true and false of boxes. */
export function values(form) {
  const said = {};
  for (const element of form.elements) {
    if (!element.name) continue;
    if (element.type === "checkbox") said[element.name] = element.checked;
    else if (element.type === "radio") {
      if (element.checked) said[element.name] = element.value;
    } else if (element.type === "file") said[element.name] = [...element.files];
    // Of a password every letter counts.
    else said[element.name] = (element.type === "password" ? element.value : element.value.trim()) || null;
  }
  return said;
}

/** A form that sends its values and shows inside itself why that failed. */
export function form(fields, actionText, send, { kind = "primary", extra = [] } = {}) {
  const error = h("p", { class: "form-error", role: "alert", hidden: true });
  const submit = button(actionText, null, { kind, type: "submit" });
  const element = h(
    "form",
    {
      class: "form",
      on: {
        submit: (event) => {
          event.preventDefault();
          error.hidden = true;
          working(submit, async () => {
            try {
              await send(values(element));
            } catch (failed) {
              if (failed instanceof SignedOut) throw failed;
              if (failed.name === "AbortError") return;
              fill(error, why(failed));
              error.hidden = false;
            }
          });
        },
      },
    },
    fields,
    error,
    h("div", { class: "form-actions" }, extra, submit),
  );
  return element;
}

/**
 * Asks for a few values in a dialog; `send` does the work and may refuse it. Gives what it gave, or true; nothing when the person
 * went away before.
 */
export async function ask({ title, fields, action = t("action.save"), send, kind, wide, text }) {
  let sent = null;
  const cancel = button(t("action.cancel"), () => opened.close());
  const hold = (is) => {
    opened.hold(is);
    cancel.disabled = is;
  };
  const done = async (said) => (await send(said)) ?? true;
  const body = form(
    fields,
    action,
    async (said) => {
      hold(true);
      sent = done(said);
      try {
        opened.close(await sent);
      } catch (error) {
        // Shown in the form, unless that is gone.
        if (opened.element.open) sent = null;
        throw error;
      } finally {
        hold(false);
      }
    },
    { kind, extra: [cancel] },
  );
  const opened = dialog.open({ title, body: [text && h("p", {}, text), body], wide });
  const answer = await opened.closed;
  // What was sent is done, whatever closed the dialog meanwhile.
  return answer === undefined && sent !== null ? sent : answer;
}
