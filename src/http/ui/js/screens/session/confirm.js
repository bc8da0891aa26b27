// The end of a session: it adds up, or a sentence says why it is right all the same.

import * as api from "../../api.js";
import { fill, h } from "../../dom.js";
import { area, ask, field, input } from "../../parts/form.js";
import { why } from "../../parts/states.js";
import { say } from "../../parts/toast.js";
import { t } from "../../text.js";

const toNumber = (text) => (text === null || text === "" ? null : Number(text));

export async function confirmSession(model) {
  const heads = input("head_count", { type: "number", min: 0, max: 10000, inputmode: "numeric" });
  const guests = input("guests", { type: "number", min: 0, max: 10000, inputmode: "numeric" });
  const keep = input("keep", { type: "checkbox" });
  const reason = area("reason", "", { maxlength: 500, rows: 2 });
  const differences = h("div", { class: "notices", "aria-live": "polite" });
  const reasonField = field(t("session.reason"), reason, t("session.reasonHint"));
  const undecided = model.records.some((record) => record.status === "unmarked");

  /** Of several questions on their way only the newest is shown. */
  let turn = 0;
  const check = async () => {
    const mine = (turn += 1);
    try {
      const count = await api.get(`/sessions/${model.id}/head-count`, {
        head_count: toNumber(heads.value),
        guests: toNumber(guests.value),
        unmarked: keep.checked ? "keep" : null,
      });
      if (mine === turn) showDifferences(count.differences);
    } catch (error) {
      if (error instanceof api.SignedOut) throw error;
      if (mine === turn) fill(differences, h("p", { class: "notice notice-bad" }, why(error)));
    }
  };
  const showDifferences = (items) => {
    reasonField.hidden = items.length === 0;
    reason.required = items.length > 0;
    fill(
      differences,
      items.length === 0
        ? h("p", { class: "notice notice-good" }, t("session.addsUp"))
        : [items.map((item) => h("p", { class: "notice notice-warn" }, item.text)), h("p", { class: "small" }, t("session.reasonNeeded"))],
    );
  };
  for (const element of [heads, guests, keep]) element.addEventListener("change", check);
  showDifferences(model.count.differences);

  const did = await ask({
    title: t("session.confirmTitle"),
    text: t("session.confirmText"),
    action: t("session.confirm"),
    fields: [
      h("div", { class: "take-what" }, field(t("session.headCount"), heads), field(t("session.guests"), guests)),
      undecided && field(t("session.keep"), keep, t("session.keepHint")),
      differences,
      reasonField,
    ],
    send: async (said) => {
      try {
        await api.post(
          `/sessions/${model.id}/confirm`,
          { head_count: toNumber(said.head_count), guests: toNumber(said.guests), unmarked: said.keep ? "keep" : "refuse", reason: said.reason },
          { version: model.version },
        );
      } catch (error) {
        turn += 1;
        if (error.differences?.length > 0) showDifferences(error.differences);
        if (error.code === "VERSION_CONFLICT") await model.load();
        throw error;
      }
    },
  });
  if (!did) return;
  await model.load();
  say(t("session.done"));
}

export async function reopenSession(model) {
  const did = await ask({
    title: t("session.reopenTitle"),
    text: t("session.reopenText"),
    action: t("session.reopen"),
    fields: [field(t("session.reason"), area("reason", "", { maxlength: 500, rows: 2 }), t("session.reasonHint"))],
    send: ({ reason }) => api.post(`/sessions/${model.id}/reopen`, { reason }),
  });
  if (did) await model.load();
}
