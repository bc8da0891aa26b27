// One face: who it may be, with portraits beside it, and what the teacher says.

import * as api from "../../api.js";
import { fill, h } from "../../dom.js";
import { button } from "../../parts/button.js";
import * as dialog from "../../parts/dialog.js";
import { field, input } from "../../parts/form.js";
import { faceCrop, portrait } from "../../parts/picture.js";
import { failure, loading } from "../../parts/states.js";
import { done } from "../../parts/undo.js";
import { has, number, percent, sure, t, when } from "../../text.js";
import { mayRecord } from "../../viewer.js";
import { nameOf, textOf } from "./faces.js";

export function openFace(model, face) {
  const mayDecide = mayRecord() && !model.isConfirmed;
  const decide = async (said, text) => {
    const back = await model.decide(face, said);
    sheet.close();
    done(text, back);
  };
  const isMember = (member) => decide({ is: "member", member_id: member.id }, t("face.saved", { name: nameOf(member) }));
  const choices = h("div", {}, loading());
  const sheet = dialog.open({
    title: t("face.title"),
    body: [
      h("div", { class: "face-now" }, faceCrop(face.id, t("record.found"), "picture-large"), h("div", { class: "stack" }, h("p", {}, t("face.now", { what: textOf(face) })), detail(face))),
      choices,
      mayDecide && others(model, face, isMember),
    ],
    actions: mayDecide
      ? [
          face.decision &&
            button(t("face.undo"), async () => {
              const back = await model.undecide(face);
              sheet.close();
              done(t("session.undone"), back);
            }, { icon: "undo" }),
          button(t("face.stranger"), () => decide({ is: "stranger" }, t("face.savedStranger"))),
        ].filter(Boolean)
      : [],
  });
  showCandidates(model, face, choices, mayDecide && isMember);
}

const detail = (face) => [
  face.reason && !["clear", "decided"].includes(face.reason) && has(`face.why.${face.reason}`) && h("p", { class: "small quiet" }, t(`face.why.${face.reason}`)),
  face.decision && h("p", { class: "small quiet" }, t("face.saidBy", { name: face.decision.by, when: when(face.decision.at) })),
];

async function showCandidates(model, face, place, choose) {
  try {
    const { items, none_because: because } = await api.get(`/faces/${face.id}/candidates`);
    if (items.length === 0) return fill(place, because && h("p", { class: "notice" }, t(`face.noCandidates.${because}`)));
    fill(
      place,
      h("h3", {}, t("face.candidates")),
      h("ol", { class: "candidates" }, items.slice(0, 5).map((candidate) => candidateRow(model, candidate, choose))),
    );
  } catch (error) {
    fill(place, failure(error, () => showCandidates(model, face, place, choose)));
  }
}

function candidateRow(model, { member, confidence, cosine }, choose) {
  const student = model.students.get(member.id);
  const text = [
    h("strong", {}, nameOf(member)),
    h("span", { class: "small quiet" }, `${t("face.confidence", { share: sure(confidence) })} · ${t("face.like", { cosine: number(cosine, 2) })}`),
  ];
  return h(
    "li",
    { class: "candidate" },
    student ? portrait(student, "", "picture-medium") : null,
    h("div", { class: "candidate-text" }, text, h("div", { class: "bar-track", "aria-hidden": "true" }, h("div", { class: "bar-fill", css: { "--share": percent(confidence) } }))),
    choose && button(t("face.choose"), () => choose(member), { label: t("face.is", { name: member.name }) }),
  );
}

/** Everybody of the class, found by name or roll number. */
function others(model, face, choose) {
  const list = h("ul", { class: "list others" });
  const search = input("search", { type: "search" });
  const show = () => {
    const words = search.value.trim().toLowerCase();
    const found = model.records.filter((record) => nameOf(record).toLowerCase().includes(words));
    fill(
      list,
      found.map((record) =>
        h(
          "li",
          {},
          h(
            "button",
            { type: "button", class: "list-item", on: { click: () => choose({ id: record.member_id, roll_no: record.roll_no, name: record.name }) } },
            portrait(model.students.get(record.member_id), ""),
            h("span", { class: "grow" }, nameOf(record)),
          ),
        ),
      ),
    );
  };
  search.addEventListener("input", show);
  const details = h("details", {}, h("summary", {}, t("face.somebody")), field(t("face.search"), search), list);
  details.addEventListener("toggle", show, { once: true });
  return details;
}
