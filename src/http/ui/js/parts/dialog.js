// Dialogs: a sheet from below on a phone, a window on a larger screen. The browser keeps the focus inside and gives it back.

import { freshId, h, rememberFocus } from "../dom.js";
import { t } from "../text.js";
import { button } from "./button.js";
import { bringBack, voice } from "./toast.js";

/**
 * Opens a dialog. Its body may be replaced while it is open.
 *
 * @param {{title: string, body: Node|Node[], actions?: Node[], wide?: boolean, stays?: boolean}} what `stays`: it goes only when
 *   the person closes it with a button, whatever is pressed beside it and wherever the page goes
 * @returns {{element: HTMLDialogElement, close: (answer?: any) => void, hold: (is: boolean) => void, closed: Promise<any>}}
 *   `hold` keeps the person in it while something is done; `closed` gives what `close` was given, or nothing when the person went
 *   away
 */
export function open({ title, body, actions = [], wide = false, stays = false }) {
  const id = freshId("dialog");
  let answer;
  let held = false;
  const close = (given) => {
    answer = given;
    element.close();
  };
  const cross = button("", () => close(), { icon: "close", kind: "plain", label: t("action.close") });
  const hold = (is) => {
    held = is;
    cross.disabled = is;
    closedBy(is || stays);
  };
  // Where the browser knows it, Escape does not even try.
  const closedBy = (none) => element.setAttribute("closedby", none ? "none" : "closerequest");
  const element = h(
    "dialog",
    { class: `dialog ${wide ? "dialog-wide" : ""}`, "aria-labelledby": id, data: stays ? { stays: "" } : {} },
    h(
      "header",
      { class: "dialog-head" },
      h("h2", { id }, title),
      cross,
    ),
    h("div", { class: "dialog-body" }, body),
    actions.length > 0 && h("footer", { class: "dialog-actions" }, actions),
    voice(),
  );
  // A press on what is behind it closes it; the element itself is only what is beside its content. A press that began inside, as
  // when text is marked, is none.
  let beside = false;
  element.addEventListener("pointerdown", ({ target }) => (beside = target === element));
  element.addEventListener("click", ({ target }) => beside && target === element && !held && !stays && close());
  element.addEventListener("cancel", (event) => (held || stays) && event.preventDefault());
  const closed = new Promise((done) => {
    element.addEventListener("close", () => {
      bringBack();
      element.remove();
      // The browser gives the focus back to what had it, unless that was made anew meanwhile.
      refocus();
      done(answer);
    });
  });
  closedBy(stays);
  const refocus = rememberFocus();
  document.body.append(element);
  element.showModal();
  return { element, close, hold, closed };
}

/** Closes what is open when its screen is left. */
export function closeAll() {
  document.querySelectorAll("dialog[open]:not([data-stays])").forEach((dialog) => dialog.close());
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
