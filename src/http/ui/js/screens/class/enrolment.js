// How well the members of a class are enrolled, and what is worth doing, the most urgent first.

import * as api from "../../api.js";
import { h } from "../../dom.js";
import { linkButton } from "../../parts/button.js";
import { field, select } from "../../parts/form.js";
import { load, placeFor } from "../../parts/load.js";
import { pager } from "../../parts/pager.js";
import { portrait } from "../../parts/picture.js";
import { empty } from "../../parts/states.js";
import { note, to } from "../../router.js";
import { number, t } from "../../text.js";
import { mayRecord } from "../../viewer.js";
import { suggestionList } from "../student/health.js";
import { pilotPart } from "./pilot.js";

const PER_PAGE = 30;
const ORDERS = ["urgency", "missed", "roll_no"];

export function enrolmentTab(context) {
  const { id, query, signal } = context;
  const place = placeFor();
  let page = 1;
  const order = select(
    "order",
    ORDERS.map((name) => [name, t(`enrolment.order.${name}`)]),
    query.get("order") ?? ORDERS[0],
  );
  const show = () =>
    load(
      place,
      async () => {
        const found = await api.get(
          `/classes/${id}/enrolment-health`,
          { order: order.value, page, per_page: PER_PAGE },
          signal,
        );
        if (found.total === 0) return empty(t("students.none"), t("students.noneText"));
        return [
          figures(found),
          h("ul", { class: "list block" }, found.items.map(healthRow)),
          pager(found, (next) => {
            page = next;
            show();
          }),
        ];
      },
      { rows: 8 },
    );
  order.addEventListener("change", () => {
    page = 1;
    query.set("order", order.value);
    note({ order: order.value });
    show();
  });
  show();
  return [h("div", { class: "filters" }, field(t("enrolment.orderBy"), order)), place, pilotPart(context)];
}

const figures = ({ summary, sessions }) =>
  h(
    "dl",
    { class: "figures" },
    [
      [t("enrolment.recognisable"), t("enrolment.of", { count: summary.recognisable, all: summary.members })],
      [t("enrolment.withSuggestions"), number(summary.with_suggestions)],
      [t("enrolment.keptMissing"), number(summary.kept_missing), t("enrolment.lastSessions", { count: sessions })],
    ].map(([name, value, hint]) =>
      h(
        "div",
        { class: "card figure" },
        h("dt", { class: "small quiet" }, name),
        h(
          "dd",
          {},
          h("span", { class: "figure-value" }, value),
          hint && h("span", { class: "small quiet note" }, hint),
        ),
      ),
    ),
  );

const healthRow = (health) =>
  h(
    "li",
    { class: "health" },
    portrait(health.student_id, "", "picture-medium"),
    h(
      "div",
      { class: "grow" },
      h(
        "a",
        { class: "member-link", href: to(`/students/${health.student_id}`, { tab: "pictures" }) },
        h("span", { class: "quiet" }, health.roll_no),
        ` ${health.name}`,
      ),
      h(
        "p",
        { class: "small quiet" },
        t("students.samples", { count: health.portraits }),
        health.sightings.sessions > 0 &&
          ` · ${t("enrolment.seen", { matched: health.sightings.matched, sessions: health.sightings.sessions })}`,
      ),
      health.suggestions.length > 0
        ? suggestionList(health.suggestions)
        : h("p", { class: "small good" }, t("enrolment.fine")),
    ),
    mayRecord() &&
      health.consent === "given" &&
      linkButton(t("enrolment.enrol"), to(`/students/${health.student_id}/enrol`), {
        icon: "camera",
        label: t("students.enrol", { name: health.name }),
      }),
  );
