// Pictures that were taken: each is shown to the service at once, which says whether it would do and why not.

import * as api from "../../api.js";
import { h } from "../../dom.js";
import { button } from "../../parts/button.js";
import { icon } from "../../parts/icon.js";
import { why } from "../../parts/states.js";
import { has, t } from "../../text.js";
import { measures } from "../student/pictures.js";
import { shrunk } from "./shrink.js";

/**
 * A shot is `{file, name, address, state, answer, error}`; `state` is checking, good, known, questioned, refused, failed
 * (not judged: something around it went wrong), or kept.
 */
export class Shots {
  constructor(student, changed) {
    this.path = `/students/${student}/samples`;
    this.changed = changed;
    this.items = [];
    this.last = Promise.resolve();
    this.number = 0;
  }

  add(file) {
    this.number += 1;
    const name = `${this.number}-${file.name || "picture.jpg"}`;
    const shot = { file, name, address: URL.createObjectURL(file), state: "checking", answer: null, error: null };
    this.items.unshift(shot);
    this.changed();
    this.check(shot);
  }

  /** One after the other, so that a quick hand does not keep the service busy. */
  check(shot) {
    this.set(shot, { state: "checking", error: null });
    this.last = this.last.then(async () => {
      if (!this.items.includes(shot)) return;
      try {
        const photos = await this.judged(shot);
        this.set(shot, {
          state: photos[0].status === "enrolled" ? "good" : photos[0].status,
          answer: photos[0],
        });
      } catch (error) {
        // What the service refuses with a reason is about the picture, anything else is about the connection.
        this.set(
          shot,
          error.errors?.length > 0
            ? { state: "refused", answer: { error: error.errors[0] } }
            : { state: "failed", error },
        );
      }
    });
  }

  /** A smaller picture first; the whole one only where its face is too small in that. */
  async judged(shot) {
    const whole = shot.file;
    const smaller = await shrunk(whole);
    if (smaller === null) return (await this.send([shot], true)).photos;
    shot.file = smaller;
    const { photos } = await this.send([shot], true);
    if (photos[0].error?.code !== "FACE_TOO_SMALL") return photos;
    shot.file = whole;
    return (await this.send([shot], true)).photos;
  }

  set(shot, said) {
    Object.assign(shot, said);
    this.changed();
  }

  send(shots, dryRun) {
    const form = new FormData();
    for (const shot of shots) form.append("photos", shot.file, shot.name);
    return api.send(`${this.path}${dryRun ? "?dry_run=true" : ""}`, form);
  }

  good() {
    return this.items.filter((shot) => shot.state === "good");
  }

  isBusy() {
    return this.items.some((shot) => shot.state === "checking");
  }

  /** Really adds the good ones. @returns {Promise<number>} how many were taken */
  async keep() {
    const sent = this.good();
    const { photos } = await this.send(sent, false);
    for (const answer of photos) {
      const shot = sent.find(({ name }) => name === answer.name) ?? sent[photos.indexOf(answer)];
      Object.assign(shot, { state: answer.status === "enrolled" ? "kept" : answer.status, answer });
    }
    this.changed();
    return sent.filter(({ state }) => state === "kept" || state === "questioned").length;
  }

  remove(shot) {
    URL.revokeObjectURL(shot.address);
    this.items = this.items.filter((other) => other !== shot);
    this.changed();
  }

  end() {
    this.items.forEach((shot) => URL.revokeObjectURL(shot.address));
    this.items = [];
  }
}

const TONE = { good: "good", kept: "good", known: "", questioned: "warn", refused: "bad", failed: "bad", checking: "" };

export function shotCard(shot, shots) {
  const { state, answer, error } = shot;
  return h(
    "li",
    { class: `card sample shot shot-${TONE[state] || "none"}` },
    h(
      "span",
      { class: "picture picture-fill" },
      h("img", { src: shot.address, alt: t("enrol.shotOf", { name: shot.name }) }),
    ),
    h(
      "p",
      { class: `shot-state ${TONE[state]}` },
      state === "checking"
        ? h("span", { class: "spinner spinner-small", "aria-hidden": "true" })
        : icon(TONE[state] === "good" ? "check" : "alert"),
      h("strong", {}, t(`enrol.state.${state}`)),
    ),
    answer?.error && h("p", { class: "small" }, hintOf(answer.error)),
    error && h("p", { class: "small" }, why(error)),
    answer?.warnings?.map((text) => h("p", { class: "small quiet" }, text.charAt(0).toUpperCase() + text.slice(1))),
    answer?.quality && state !== "refused" && measures(answer.quality),
    h("div", { class: "row shot-actions" }, [
      state === "failed" && button(t("action.retry"), () => shots.check(shot), { kind: "plain" }),
      state !== "kept" &&
        button("", () => shots.remove(shot), {
          icon: "trash",
          kind: "plain",
          label: t("take.remove", { name: shot.name }),
        }),
    ]),
  );
}

/** What a refused picture lacks, by a word of the service's reason. */
const LACKS = [
  ["blurred", /blur/i],
  ["dark", /dark/i],
  ["bright", /overexposed/i],
  ["flat", /contrast/i],
  ["turned", /turned|profile/i],
];

const MOST_HINTS = 2;

/** What to do about it, and the reason. */
function hintOf({ code, detail }) {
  const lacks = LACKS.filter(([, word]) => word.test(detail)).map(([name]) => t(`enrol.hint.${name}`));
  const hints =
    lacks.length > 0 ? lacks.slice(0, MOST_HINTS) : has(`enrol.hint.${code}`) ? [t(`enrol.hint.${code}`)] : [];
  const reason = detail.charAt(0).toUpperCase() + detail.slice(1);
  return [hints.map((hint) => h("strong", { class: "note" }, hint)), h("span", { class: "note quiet" }, `${reason}.`)];
}
