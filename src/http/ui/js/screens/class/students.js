// Who is in a class: portraits, consent, samples; administrators put students in and change their days.

import * as api from "../../api.js";
import { fill, h } from "../../dom.js";
import { button, linkButton } from "../../parts/button.js";
import { ask, field, input, part, select, settle } from "../../parts/form.js";
import { load, placeFor } from "../../parts/load.js";
import { portrait } from "../../parts/picture.js";
import { empty } from "../../parts/states.js";
import { say } from "../../parts/toast.js";
import { note, to } from "../../router.js";
import * as school from "../../school.js";
import { dayOf, t, today } from "../../text.js";
import { isAdmin, mayRecord } from "../../viewer.js";
import { consentTag } from "../student/consent.js";

export function studentsTab(context) {
  const { id, query } = context;
  const place = placeFor();
  let members = [];
  const list = h("div", {});
  const search = input("search", { type: "search", value: query.get("q") });
  const on = input("on", { type: "date", value: query.get("on") ?? today() });
  const reload = () => {
    school.forget();
    show();
  };
  const show = () =>
    load(
      place,
      async () => {
        members = await school.members(id, on.value);
        if (members.length > 0) showList();
        return members.length === 0 ? nobody() : list;
      },
      { rows: 8 },
    );
  const showList = () => {
    const words = search.value.trim().toLowerCase();
    const found = members.filter((member) =>
      `${member.roll_no} ${member.name} ${member.prn}`.toLowerCase().includes(words),
    );
    fill(
      list,
      found.length === 0
        ? h("p", { class: "quiet" }, t("students.noneFound"))
        : h(
            "ul",
            { class: "list" },
            found.map((member) => memberRow(member, reload)),
          ),
      h("p", { class: "small quiet list-count", role: "status" }, t("students.count", { count: found.length })),
    );
  };
  search.addEventListener("input", () => {
    note({ q: search.value.trim() });
    showList();
  });
  on.addEventListener("change", () => on.value && (note({ on: on.value }), show()));
  show();
  return [
    h(
      "form",
      { class: "filters", on: { submit: (event) => event.preventDefault() } },
      field(t("students.search"), search),
      field(t("students.on"), on),
      isAdmin() &&
        h("div", { class: "filters-end" }, [
          button(t("students.add"), () => addMember(id, members, reload), { icon: "plus" }),
          button(t("students.new"), () => newStudent(id, members, reload), { kind: "plain" }),
        ]),
    ),
    place,
  ];
}

const nobody = () =>
  empty(
    t("students.none"),
    t(isAdmin() ? "students.noneAdmin" : "students.noneText"),
    isAdmin() && linkButton(t("today.roster"), "#/admin/roster"),
  );

function memberRow(member, reload) {
  const days = [
    member.from && t("students.from", { day: dayOf(member.from, "date") }),
    member.to && t("students.to", { day: dayOf(member.to, "date") }),
  ];
  return h(
    "li",
    { class: "member" },
    h(
      "a",
      { class: "list-item", href: to(`/students/${member.student_id}`) },
      portrait(member.student_id, ""),
      h(
        "span",
        { class: "grow" },
        h("span", { class: "name" }, member.name),
        h("span", { class: "small quiet note" }, [member.roll_no, member.prn, ...days].filter(Boolean).join(" · ")),
      ),
      h(
        "span",
        { class: "member-tags" },
        !member.active && h("span", { class: "tag" }, t("student.inactive")),
        member.consent !== "given" && consentTag(member.consent),
        member.consent === "given" &&
          member.samples === 0 &&
          h("span", { class: "tag tag-bad" }, t("students.noPicture")),
        member.samples > 0 &&
          h("span", { class: "small quiet wide-only" }, t("students.samples", { count: member.samples })),
      ),
    ),
    isAdmin() &&
      button("", () => changeMember(member, reload), {
        icon: "more",
        kind: "plain",
        label: t("students.changeOf", { name: member.name }),
      }),
    !isAdmin() &&
      mayRecord() &&
      member.consent === "given" &&
      member.samples === 0 &&
      linkButton("", to(`/students/${member.student_id}/enrol`), {
        icon: "camera",
        kind: "plain",
        label: t("students.enrol", { name: member.name }),
      }),
  );
}

/** The roll number after the greatest one. */
function nextRoll(members) {
  const numbers = members.map(({ roll_no: roll }) => /^(.*?)(\d+)$/.exec(roll)).filter(Boolean);
  if (numbers.length === 0) return members.length === 0 ? "1" : "";
  const last = numbers.reduce((a, b) => (Number(b[2]) > Number(a[2]) ? b : a));
  return last[1] + String(Number(last[2]) + 1).padStart(last[2].length, "0");
}

const rollField = (value) => field(t("students.roll"), input("roll_no", { required: true, maxlength: 40, value }));
const fromField = (value) =>
  field(t("students.fromField"), input("from", { type: "date", value }), t("students.fromHint"));

async function addMember(id, members, done) {
  const found = h("ul", { class: "list others" });
  const search = input("search", { type: "search", autofocus: true });
  const chosen = input("student_id", { type: "hidden" });
  const who = h("p", { class: "notice", hidden: true, role: "status" });
  const known = new Set(members.map((member) => member.student_id));
  const look = async () => {
    const words = search.value.trim();
    if (words.length < 2) return fill(found);
    const { items } = await api.get("/students", { search: words, per_page: 20 });
    if (words !== search.value.trim()) return;
    fill(
      found,
      items.length === 0 && h("li", { class: "list-item quiet" }, t("classes.noStudents")),
      items.map(choice),
    );
  };
  const choice = (student) => {
    const here = known.has(student.id);
    const pick = () => {
      chosen.value = student.id;
      who.hidden = false;
      fill(who, t("students.chosen", { name: student.name }));
    };
    return h(
      "li",
      {},
      h(
        "button",
        { type: "button", class: "list-item", disabled: here, on: { click: pick } },
        h("span", { class: "grow" }, student.name, h("span", { class: "small quiet note" }, student.prn)),
        here && h("span", { class: "tag" }, t("students.already")),
      ),
    );
  };
  search.addEventListener("input", look);
  const did = await ask({
    title: t("students.add"),
    fields: [field(t("students.searchAll"), search), found, who, chosen, rollField(nextRoll(members)), fromField(null)],
    action: t("action.add"),
    send: (said) => {
      if (!chosen.value) throw new Error(t("students.chooseFirst"));
      return api.post(`/classes/${id}/members`, {
        student_id: Number(chosen.value),
        roll_no: said.roll_no,
        from: said.from,
      });
    },
  });
  if (did) finish(t("students.added"), done);
}

async function newStudent(id, members, done) {
  let made = null;
  const who = part(
    field(t("student.name"), input("name", { required: true, maxlength: 200, autofocus: true })),
    field(t("student.prn"), input("prn", { required: true, maxlength: 60 }), t("student.prnHint")),
    field(t("student.email"), input("email", { type: "email", maxlength: 200 })),
    field(
      t("student.consent"),
      select(
        "consent",
        ["unknown", "given"].map((state) => [state, t(`student.consentState.${state}`)]),
        "unknown",
      ),
      t("student.consentHint"),
    ),
  );
  const did = await ask({
    title: t("students.new"),
    fields: [who, rollField(nextRoll(members))],
    action: t("action.add"),
    send: async ({ name, prn, email, consent, roll_no: roll }) => {
      // Asked again after the roll number was refused, the student is there already.
      made ??= await api.post("/students", { name, prn, email, consent });
      try {
        return await api.post(`/classes/${id}/members`, { student_id: made.id, roll_no: roll });
      } catch (error) {
        settle(who, t("students.madeAlready"));
        throw error;
      }
    },
  });
  if (did) finish(t("students.added"), done);
  else if (made) say(t("students.madeOnly", { name: made.name }));
}

async function changeMember(member, done) {
  const did = await ask({
    title: t("students.changeOf", { name: member.name }),
    fields: [
      rollField(member.roll_no),
      fromField(member.from),
      field(t("students.toField"), input("to", { type: "date", value: member.to }), t("students.toHint")),
    ],
    send: ({ roll_no: roll, from, to: until }) =>
      api.patch(`/members/${member.id}`, { roll_no: roll, from, to: until }),
  });
  if (did) finish(t("students.changed", { name: member.name }), done);
}

function finish(text, done) {
  say(text);
  done();
}
