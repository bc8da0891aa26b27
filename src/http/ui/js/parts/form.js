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

/** What stands in a form: text by name, null where it is empty, true and false of boxes. */
export function values(form) {
  const said = {};
  for (const element of form.elements) {
    if (!element.name) continue;
    if (element.type === "checkbox") said[element.name] = element.checked;
    else if (element.type === "radio") {
      if (element.checked) said[element.name] = element.value;
    } else if (element.type === "file") said[element.name] = [...element.files];
    else said[element.name] = element.value.trim() === "" ? null : element.value.trim();
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

/** Asks for a few values in a dialog; `send` does the work and may refuse it. Gives whether it was done. */
export async function ask({ title, fields, action = t("action.save"), send, kind, wide, text }) {
  const body = form(
    fields,
    action,
    async (said) => {
      const answer = await send(said);
      opened.close(answer ?? true);
    },
    { kind, extra: [button(t("action.cancel"), () => opened.close())] },
  );
  const opened = dialog.open({ title, body: [text && h("p", {}, text), body], wide });
  return opened.closed;
}
