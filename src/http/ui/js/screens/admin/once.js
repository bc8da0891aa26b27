// A secret that is shown once, with a button that copies it.

import { fill, h } from "../../dom.js";
import { button } from "../../parts/button.js";
import * as dialog from "../../parts/dialog.js";
import { field, input } from "../../parts/form.js";
import { icon } from "../../parts/icon.js";
import { say } from "../../parts/toast.js";
import { t } from "../../text.js";

/** A field with a button beside it that copies what stands in it. */
export function copyField(label, element, { hint, copyLabel = t("admin.copy"), extra = [] } = {}) {
  const copy = button(t("admin.copy"), () => copied(element), { label: copyLabel });
  const row = field(label, element, hint);
  const line = h("div", { class: "copy-line" });
  element.replaceWith(line);
  fill(line, element, copy, extra);
  return row;
}

/** Shows a secret until the person says that they have it; a press beside it does not lose it. */
export function showOnce({ title, text, label, secret, done, copyLabel, more }) {
  const element = input("secret", { readonly: true, value: secret, class: "secret", spellcheck: "false" });
  element.addEventListener("focus", () => element.select());
  const opened = dialog.open({
    title,
    body: [
      h("p", { class: "notice notice-warn" }, icon("alert"), text),
      more,
      copyField(label, element, { copyLabel }),
    ],
    actions: [button(done, () => opened.close(true), { kind: "primary" })],
    stays: true,
  });
  return opened.closed;
}

/** The clipboard needs HTTPS; without it the older way, and at worst the text is selected. */
async function copied(element) {
  element.select();
  const done = navigator.clipboard
    ? await navigator.clipboard.writeText(element.value).then(() => true, older)
    : older();
  say(t(done ? "admin.copied" : "admin.copyFailed"), done ? {} : { kind: "failure" });
}

const older = () => document.execCommand("copy");

const LETTERS = "abcdefghjkmnpqrstuvwxyz23456789";
const GROUPS = 4;
const GROUP_LENGTH = 4;

/** A password that is easy to read out and hard to guess: 79 bits. */
export function suggestion() {
  const letter = () => {
    // Without the bias of a remainder.
    const limit = 256 - (256 % LETTERS.length);
    for (;;) {
      const [byte] = crypto.getRandomValues(new Uint8Array(1));
      if (byte < limit) return LETTERS[byte % LETTERS.length];
    }
  };
  const group = () => Array.from({ length: GROUP_LENGTH }, letter).join("");
  return Array.from({ length: GROUPS }, group).join("-");
}

/** A new password, suggested, to be changed or suggested again. */
export function passwordField() {
  const element = input("password", {
    value: suggestion(),
    required: true,
    minlength: 10,
    maxlength: 200,
    class: "secret",
    spellcheck: "false",
    autocomplete: "new-password",
  });
  const again = button("", () => (element.value = suggestion()), {
    icon: "refresh",
    label: t("admin.users.suggest"),
  });
  return copyField(t("admin.users.password"), element, {
    hint: t("admin.users.passwordHint"),
    copyLabel: t("admin.users.copyAction"),
    extra: [again],
  });
}
