// Pictures that a student is to be recognised by: from the camera or from files, each judged at once, the good ones kept.

import * as api from "../api.js";
import { fill, h } from "../dom.js";
import { backLink, button, linkButton } from "../parts/button.js";
import { icon } from "../parts/icon.js";
import { forgetPortrait, portrait } from "../parts/picture.js";
import { say } from "../parts/toast.js";
import { refresh, to } from "../router.js";
import * as school from "../school.js";
import { t } from "../text.js";
import { isAdmin, mayRecord } from "../viewer.js";
import { cameraPart } from "./enrol/camera.js";
import { Shots, shotCard } from "./enrol/shots.js";
import { consentTag } from "./student/consent.js";

/** So many good pictures are enough; more help little. */
const ENOUGH = 3;

export async function show({ params, signal }) {
  const id = Number(params.student);
  const [student, samples] = await Promise.all([
    api.get(`/students/${id}`, {}, signal),
    api.get(`/students/${id}/samples`, {}, signal),
  ]);
  const title = t("enrol.title", { name: student.name });
  const head = [
    backLink(student.name, to(`/students/${id}`, { tab: "pictures" })),
    h(
      "div",
      { class: "head enrol-head" },
      portrait(id, ""),
      h(
        "div",
        { class: "grow" },
        h("h1", {}, title),
        h(
          "p",
          { class: "row quiet" },
          student.prn,
          consentTag(student.consent),
          t("students.samples", { count: samples.items.length }),
        ),
      ),
    ),
  ];
  if (!mayRecord()) return { title, body: [head, notice("shield", t("problem.FORBIDDEN"))] };
  if (student.consent !== "given") return { title, body: [head, noConsent(student)] };
  return { title, body: [head, enrolPart(student, samples.items.length, signal)] };
}

const notice = (drawing, ...text) => h("div", { class: "notice notice-warn" }, icon(drawing), h("div", {}, text));

/** A face is biometric data: without a recorded consent the service takes no picture. */
function noConsent(student) {
  const give = async () => {
    await api.patch(`/students/${student.id}`, { consent: "given" });
    school.forget();
    say(t("enrol.consentRecorded", { name: student.name }));
    refresh();
  };
  return h(
    "div",
    { class: "narrow" },
    notice("shield", h("strong", {}, t(`enrol.consent.${student.consent}`)), h("p", {}, t("enrol.consentText"))),
    isAdmin()
      ? h(
          "div",
          { class: "stack" },
          h("p", {}, t("enrol.consentAdmin")),
          button(t("enrol.consentGive"), give, { kind: "primary", icon: "check" }),
        )
      : h("p", {}, t("enrol.consentTeacher")),
  );
}

function enrolPart(student, known, signal) {
  const list = h("ul", { class: "samples", "aria-live": "polite" });
  const foot = h("div", { class: "enrol-foot" });
  const shots = new Shots(student.id, () => showShots());
  const cards = new Map();
  const showShots = () => {
    for (const shot of shots.items)
      cards.set(
        shot,
        cards.get(shot)?.state === shot.state ? cards.get(shot) : { state: shot.state, card: shotCard(shot, shots) },
      );
    // Only what has changed is put anew: the rest is not read out again.
    const shown = shots.items.map((shot) => cards.get(shot).card);
    if (shown.length !== list.children.length || shown.some((card, i) => list.children[i] !== card)) fill(list, shown);
    fill(
      foot,
      footOf(foot, shots, known, () => keep(student, shots, done)),
    );
  };
  const done = async (taken) => {
    const next = await nextOf(student).catch(() => null);
    fill(foot, doneOf(student, taken, next));
    foot.querySelector("a")?.focus();
  };
  signal.addEventListener("abort", () => shots.end());
  showShots();
  return h(
    "div",
    { class: "enrol" },
    h(
      "div",
      { class: "enrol-in" },
      cameraPart((file) => shots.add(file), signal),
      advice(),
    ),
    h("section", { class: "enrol-out" }, h("h2", {}, t("enrol.taken")), list, foot),
  );
}

const advice = () =>
  h(
    "ul",
    { class: "advice small quiet" },
    ["look", "light", "near", "alone"].map((name) => h("li", {}, t(`enrol.advice.${name}`))),
  );

function footOf(foot, shots, known, keep) {
  const good = shots.good().length;
  foot.classList.toggle("enrol-foot-stays", shots.items.length > 0);
  if (shots.items.length === 0) return h("p", { class: "quiet" }, t("enrol.noneYet", { count: ENOUGH }));
  return [
    h(
      "p",
      { role: "status" },
      good + known >= ENOUGH ? t("enrol.enough", { count: good }) : t("enrol.soMany", { count: good, enough: ENOUGH }),
    ),
    button(good === 0 ? t("enrol.keepNone") : t("enrol.keep", { count: good }), keep, {
      kind: "primary",
      large: true,
      icon: "check",
      disabled: good === 0 || shots.isBusy(),
    }),
  ];
}

async function keep(student, shots, done) {
  const taken = await shots.keep();
  if (taken === 0) return;
  forgetPortrait(student.id);
  school.forget();
  say(t("enrol.done", { count: taken, name: student.name }));
  await done(taken);
}

/** The next one of the same class who has consented and has no picture. */
async function nextOf(student) {
  for (const { class_id: id } of student.memberships) {
    const members = await school.members(id);
    const at = members.findIndex((member) => member.student_id === student.id);
    const inTurn = [...members.slice(at + 1), ...members.slice(0, Math.max(at, 0))];
    const next = inTurn.find((member) => member.consent === "given" && member.active && member.samples === 0);
    if (next) return next;
  }
  return null;
}

const doneOf = (student, taken, next) => [
  h(
    "p",
    { class: "notice notice-good", role: "status" },
    icon("check"),
    t("enrol.done", { count: taken, name: student.name }),
  ),
  h("div", { class: "row" }, [
    next &&
      linkButton(t("enrol.next", { name: next.name }), to(`/students/${next.student_id}/enrol`), {
        kind: "primary",
        icon: "camera",
      }),
    linkButton(t("enrol.toStudent"), to(`/students/${student.id}`, { tab: "pictures" })),
  ]),
];
