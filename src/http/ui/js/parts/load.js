// A part of a screen that is asked for by itself: grey bars first, then what came, or why it did not.

import { SignedOut } from "../api.js";
import { fill, h, replace } from "../dom.js";
import { failure, skeleton } from "./states.js";

/** The newest request of a place; an answer that comes late is not shown. */
const newest = new WeakMap();

export const placeFor = () => h("div", { class: "place" });

/**
 * Fills `place` with what `work` gives. What is there stays, paler, until then, so that nothing jumps.
 *
 * @param {Element} place
 * @param {() => Promise<Node|Node[]>} work
 * @param {{rows?: number}} [look] grey bars while there is nothing
 */
export async function load(place, work, { rows = 5 } = {}) {
  const turn = Symbol("turn");
  newest.set(place, turn);
  place.setAttribute("aria-busy", "true");
  if (place.childElementCount === 0) fill(place, skeleton(rows));
  const put = (content) => {
    if (newest.get(place) !== turn) return;
    place.removeAttribute("aria-busy");
    if (replace(place, content)) place.scrollIntoView({ block: "nearest" });
  };
  try {
    put(await work());
  } catch (error) {
    if (error instanceof SignedOut) throw error;
    if (error.name !== "AbortError") put(failure(error, () => load(place, work, { rows })));
  }
}

/** Runs `work` for each item, a few at a time. */
export async function each(items, work, together = 6) {
  const waiting = [...items.entries()];
  const answers = [];
  const one = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) answers[next[0]] = await work(next[1]);
  };
  await Promise.all(Array.from({ length: Math.min(together, waiting.length) }, one));
  return answers;
}
