// Files that a person hands over: chosen, shot with the device's own camera, or dropped from another window.

import { h } from "../dom.js";
import { t } from "../text.js";
import { say } from "./toast.js";

/** Some systems give HEIC files no type. */
const isPicture = (file) => /^image\//.test(file.type) || /\.(heic|heif)$/i.test(file.name);

/** Those that are pictures; of the others the person is told. */
export function picturesOf(files) {
  const all = [...files];
  for (const file of all.filter((file) => !isPicture(file))) say(t("take.noPicture", { name: file.name }), { kind: "failure" });
  return all.filter(isPicture);
}

/**
 * A file field for pictures that is not seen: a button opens it with `click()`.
 *
 * @param {(files: File[]) => void} take @param {object} [attributes] such as `multiple`, or `capture` for the camera
 */
export const pictureField = (take, attributes) =>
  h("input", {
    type: "file",
    accept: "image/*,.heic,.heif",
    class: "visually-hidden",
    tabindex: "-1",
    "aria-hidden": "true",
    ...attributes,
    on: {
      change: (event) => {
        take(picturesOf(event.target.files));
        // The same file may be chosen again.
        event.target.value = "";
      },
    },
  });

/** Lets files be dropped on an element. @param {(files: File[]) => void} take */
export function droppable(element, take) {
  const over = (is) => (event) => {
    event.preventDefault();
    element.classList.toggle("drop-over", is);
  };
  element.addEventListener("dragover", over(true));
  element.addEventListener("dragleave", over(false));
  element.addEventListener("drop", (event) => {
    over(false)(event);
    take([...event.dataTransfer.files]);
  });
  return element;
}
