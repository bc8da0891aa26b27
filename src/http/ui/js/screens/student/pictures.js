// The pictures that a student is recognised by: how good they are, what would help, and away with them.

import * as api from "../../api.js";
import { h } from "../../dom.js";
import { button, linkButton } from "../../parts/button.js";
import { confirmed } from "../../parts/dialog.js";
import { load, placeFor } from "../../parts/load.js";
import { forgetPortrait, picture } from "../../parts/picture.js";
import { empty } from "../../parts/states.js";
import { say } from "../../parts/toast.js";
import { refresh, to } from "../../router.js";
import * as school from "../../school.js";
import { number, ofHundred, percent, t, when } from "../../text.js";
import { mayRecord } from "../../viewer.js";
import { suggestionList } from "./health.js";

export function picturesTab({ id, student, signal }) {
  const place = placeFor();
  load(place, async () => {
    const [{ items }, health] = await Promise.all([
      api.get(`/students/${id}/samples`, {}, signal),
      api.get(`/students/${id}/enrolment-health`, {}, signal),
    ]);
    const portraits = items.filter((sample) => sample.origin === "portrait");
    const learned = items.filter((sample) => sample.origin !== "portrait");
    return [
      health.items.map((item) => healthPart(item, student)),
      h(
        "section",
        {},
        h("h2", {}, t("pictures.portraits")),
        portraits.length === 0 ? nothing(student) : gallery(portraits, id),
      ),
      learned.length > 0 &&
        h(
          "section",
          {},
          h("h2", {}, t("pictures.learned")),
          h("p", { class: "small quiet" }, t("pictures.learnedText")),
          gallery(learned, id),
          mayRecord() &&
            h(
              "div",
              { class: "row block" },
              button(t("pictures.forget"), () => forgetLearned(id), { icon: "trash", kind: "plain" }),
            ),
        ),
    ];
  });
  return place;
}

function nothing(student) {
  const may = mayRecord() && student.consent === "given";
  return empty(
    t("pictures.none"),
    t(student.consent === "given" ? "pictures.noneText" : "pictures.noConsent"),
    may && linkButton(t("student.enrol"), to(`/students/${student.id}/enrol`), { kind: "primary", icon: "camera" }),
  );
}

function healthPart(health, student) {
  const { sightings, nearest, suggestions } = health;
  const classOf = student.memberships.find((item) => item.class_id === health.class_id);
  return h(
    "section",
    { class: "card" },
    h(
      "h2",
      {},
      classOf
        ? t("pictures.healthIn", {
            class: school.className({ name: classOf.class_name, section: classOf.section }),
          })
        : t("pictures.health"),
    ),
    suggestions.length > 0 ? suggestionList(suggestions) : h("p", { class: "good" }, t("enrolment.fine")),
    h(
      "dl",
      { class: "facts block" },
      sightings.sessions > 0 && [
        h("dt", {}, t("pictures.seen")),
        h("dd", {}, t("pictures.seenOf", sightings)),
        sightings.mean_confidence !== null && [
          h("dt", {}, t("pictures.sure")),
          h("dd", {}, percent(sightings.mean_confidence)),
        ],
      ],
      nearest && [
        h("dt", {}, t("pictures.nearest")),
        h("dd", {}, t("pictures.nearestText", { roll: nearest.roll_no, cosine: number(nearest.cosine, 2) })),
      ],
      health.newest_at && [h("dt", {}, t("pictures.newest")), h("dd", {}, when(health.newest_at, "date"))],
    ),
  );
}

const gallery = (samples, id) =>
  h(
    "ul",
    { class: "samples" },
    samples.map((sample, i) => sampleCard(sample, i, id)),
  );

function sampleCard(sample, i, id) {
  const added = when(sample.created_at, "date");
  const remove = async () => {
    if (!(await confirmed(t("pictures.remove"), t("pictures.removeText"), t("action.delete")))) return;
    await api.remove(`/samples/${sample.id}`);
    after(id, t("pictures.removed"));
  };
  return h(
    "li",
    { class: "card sample" },
    picture(
      sample.has_image ? `/samples/${sample.id}/image` : null,
      t("pictures.sampleOf", { number: i + 1 }),
      "picture-fill",
    ),
    h(
      "p",
      { class: "small" },
      t("pictures.weight", { share: ofHundred(100 * sample.weight) }),
      h("span", { class: "quiet" }, ` · ${added}`),
    ),
    sample.quality ? measures(sample.quality) : h("p", { class: "small quiet" }, t("pictures.noQuality")),
    sample.session_id !== null &&
      h("a", { class: "small", href: to(`/sessions/${sample.session_id}`) }, t("pictures.fromSession")),
    mayRecord() &&
      button(t("action.delete"), remove, {
        icon: "trash",
        kind: "plain",
        label: t("pictures.removeOf", { number: i + 1 }),
      }),
  );
}

export const measures = (quality) =>
  h(
    "dl",
    { class: "facts small measures" },
    [
      ["size", t("pictures.px", { count: Math.round(quality.side_px) })],
      ["sharpness", number(quality.sharpness)],
      ["brightness", number(quality.brightness)],
      ["turn", t("pictures.degrees", { count: Math.round(Math.abs(quality.yaw_deg)) })],
    ].map(([name, value]) => [h("dt", {}, t(`pictures.${name}`)), h("dd", {}, value)]),
  );

async function forgetLearned(id) {
  if (!(await confirmed(t("pictures.forget"), t("pictures.forgetText"), t("action.delete")))) return;
  const { deleted } = await api.post(`/students/${id}/samples/forget-learned`);
  after(id, t("pictures.forgotten", { count: deleted }));
}

function after(id, text) {
  forgetPortrait(id);
  school.forget();
  say(text);
  refresh();
}
