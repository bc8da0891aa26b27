// Dialogs: a sheet from below on a phone, a window on a larger screen. The browser keeps the focus inside and gives it back.

import { freshId, h } from "../dom.js";
import { t } from "../text.js";
import { button } from "./button.js";
import { bringBack } from "./toast.js";

/**
 * Opens a dialog. Its body may be replaced while it is open.
 *
 * @param {{title: string, body: Node|Node[], actions?: Node[], wide?: boolean}} what
 * @returns {{element: HTMLDialogElement, close: (answer?: any) => void, closed: Promise<any>}} `closed` gives what `close` was
 *   given, or nothing when the person went away
 */
export function open({ title, body, actions = [], wide = false }) {
  const id = freshId("dialog");
  let answer;
  const close = (given) => {
    answer = given;
    element.close();
  };
  const element = h(
    "dialog",
    { class: `dialog ${wide ? "dialog-wide" : ""}`, "aria-labelledby": id },
    h(
      "header",
      { class: "dialog-head" },
      h("h2", { id }, title),
      button("", () => close(), { icon: "close", kind: "plain", label: t("action.close") }),
    ),
    h("div", { class: "dialog-body" }, body),
    actions.length > 0 && h("footer", { class: "dialog-actions" }, actions),
  );
  // A press on what is behind it closes it; the element itself is only what is beside its content.
  element.addEventListener("click", (event) => event.target === element && close());
  const closed = new Promise((done) => {
    element.addEventListener("close", () => {
      bringBack();
      element.remove();
      done(answer);
    });
  });
  document.body.append(element);
  element.showModal();
  return { element, close, closed };
}

/** Asks before something that cannot be undone. */
export async function confirmed(title, text, action, { danger = true } = {}) {
  const dialog = open({
    title,
    body: h("p", {}, text),
    actions: [
      button(t("action.cancel"), () => dialog.close(false)),
      button(action, () => dialog.close(true), { kind: danger ? "danger" : "primary" }),
    ],
  });
  return (await dialog.closed) === true;
}
