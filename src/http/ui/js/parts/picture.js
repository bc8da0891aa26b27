// Pictures that only somebody who is signed in may see: fetched with the token, shown from memory, of a size known before.

import { Answers } from "../answers.js";
import * as api from "../api.js";
import { h } from "../dom.js";
import { icon } from "./icon.js";

/** Pictures that were fetched, the oldest first: their bytes, and an address for `img`. A class has few hundred faces. */
const fetched = new Map();
const KEPT = 400;

/** Fetches a picture once. @returns {Promise<{blob: Blob, address: string}>} */
export function fetchPicture(path) {
  const known = fetched.get(path);
  if (known) return known;
  const picture = api.file(path).then(({ blob }) => ({ blob, address: URL.createObjectURL(blob) }));
  fetched.set(path, picture);
  picture.catch(() => fetched.delete(path));
  if (fetched.size > KEPT) {
    const [oldest, dropped] = fetched.entries().next().value;
    fetched.delete(oldest);
    letGo(dropped);
  }
  return picture;
}

const letGo = (picture) => picture.then(({ address }) => URL.revokeObjectURL(address)).catch(() => {});

/** Pictures of somebody else are not kept when the person at the screen changes. */
export function forgetPictures() {
  fetched.forEach(letGo);
  fetched.clear();
  portraits.forget();
}

const seen = new IntersectionObserver(
  (entries) => {
    for (const entry of entries.filter((entry) => entry.isIntersecting)) {
      seen.unobserve(entry.target);
      entry.target.dispatchEvent(new CustomEvent("seen"));
    }
  },
  { rootMargin: "200px" },
);

/**
 * A square picture; fetched when it comes into view.
 *
 * @param {string|null|(() => Promise<string|null>)} path below the interface's root; null shows that there is none
 * @param {string} text what it shows, empty where the text beside it says so
 */
export function picture(path, text, size = "") {
  const frame = h("span", { class: `picture ${size}`, role: text ? "img" : null, "aria-label": text || null }, icon("face"));
  if (path === null) return frame;
  frame.addEventListener(
    "seen",
    async () => {
      try {
        const found = typeof path === "function" ? await path() : path;
        if (found === null) return;
        const { address } = await fetchPicture(found);
        frame.replaceChildren(h("img", { src: address, alt: "" }));
      } catch {
        frame.classList.add("picture-missing");
      }
    },
    { once: true },
  );
  seen.observe(frame);
  return frame;
}

/** The newest portrait of a student, as far as there is one. */
export function portrait(studentId, text, size) {
  return picture(() => portraitPath(studentId), text, size);
}

const portraits = new Answers();

const portraitPath = (studentId) =>
  portraits.once(studentId, async () => {
    const { items } = await api.get(`/students/${studentId}/samples`);
    const newest = items.filter((sample) => sample.has_image).at(-1);
    return newest ? `/samples/${newest.id}/image` : null;
  });

/** After samples of a student were added or deleted, */
export const forgetPortrait = (studentId) => portraits.forget(studentId);
/** or of many. */
export const forgetPortraits = () => portraits.forget();

/** The part of a class photo with a face. */
export const faceCrop = (faceId, text, size) => picture(`/faces/${faceId}/crop`, text, size);
