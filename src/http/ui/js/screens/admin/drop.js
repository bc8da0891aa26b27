// A place for one file: chosen or dropped.

import { h } from "../../dom.js";
import { button } from "../../parts/button.js";
import { droppable } from "../../parts/files.js";
import { say } from "../../parts/toast.js";
import { t } from "../../text.js";

/**
 * @param {{action: string, kinds: string[], name: string, choose: (file: File) => (void|Promise)}} what `kinds` are endings such as `.csv`
 * @returns {{element: Element, setText: (text: string) => void}}
 */
export function dropPlace({ action, kinds, name, choose }) {
  const take = async (files) => {
    if (files.length === 0) return;
    if (files.length > 1) return say(t("admin.dropOne"), { kind: "failure" });
    const [file] = files;
    if (!kinds.some((kind) => file.name.toLowerCase().endsWith(kind))) {
      return say(t("admin.wrongKind", { name: file.name, kinds: kinds.join(", ") }), { kind: "failure" });
    }
    await choose(file);
  };
  const picker = h("input", {
    type: "file",
    name,
    accept: kinds.join(","),
    class: "visually-hidden",
    tabindex: "-1",
    "aria-label": action,
  });
  picker.addEventListener("change", async () => {
    const files = [...picker.files];
    // The same file may be chosen again after it was corrected.
    picker.value = "";
    await take(files);
  });
  const press = button(action, () => picker.click(), { icon: "upload", kind: "primary" });
  const element = h(
    "div",
    { class: "drop" },
    picker,
    press,
    h("p", { class: "small quiet drop-hint" }, t("admin.drop")),
  );
  droppable(element, take);
  return { element, setText: (text) => (press.querySelector("span").textContent = text) };
}
