// Leave: days on which a student is excused beforehand, with a reason, a remark and a document.

import * as api from "../../api.js";
import { h } from "../../dom.js";
import { button, downloadButton } from "../../parts/button.js";
import { confirmed } from "../../parts/dialog.js";
import { area, ask, field, input, part, select, settle } from "../../parts/form.js";
import { portrait } from "../../parts/picture.js";
import { say } from "../../parts/toast.js";
import { to } from "../../router.js";
import { bytes, dayOf, t, today, when } from "../../text.js";

const KINDS = ["leave", "sick", "duty"];
const DOCUMENTS = "application/pdf,image/jpeg,image/png";
const MOST_BYTES = 5_000_000;

/**
 * Asks for a leave and notes it.
 *
 * @param {{studentId?: number, members?: object[]}} who one student, or a class to choose from
 * @returns {Promise<boolean>} whether it was done
 */
export async function askLeave({ studentId, members }) {
  const until = input("to", { type: "date", required: true, value: today() });
  const from = input("from", { type: "date", required: true, value: today() });
  const order = () => until.setCustomValidity(from.value > until.value ? t("range.order") : "");
  from.addEventListener("change", () => {
    if (until.value < from.value) until.value = from.value;
    order();
  });
  until.addEventListener("change", order);
  const file = documentField();
  let added = null;
  const what = part(
    members &&
      field(
        t("register.student"),
        select(
          "student",
          [
            ["", t("leave.choose")],
            ...members.map((member) => [member.student_id, `${member.roll_no} ${member.name}`]),
          ],
          "",
          { required: true },
        ),
      ),
    h("div", { class: "take-what" }, field(t("leave.from"), from), field(t("leave.to"), until)),
    field(
      t("leave.kind"),
      select(
        "kind",
        KINDS.map((kind) => [kind, t(`leave.kinds.${kind}`)]),
        KINDS[0],
      ),
    ),
    field(t("leave.remark"), area("remark", "", { rows: 2, maxlength: 500 })),
  );
  const did = await ask({
    title: t("leave.add"),
    text: t("leave.addText"),
    fields: [what, field(t("leave.document"), file, t("leave.documentHint"))],
    action: t("action.add"),
    send: async ({ student, from: first, to: last, kind, remark }) => {
      // Asked again after the document was refused, the leave is noted already.
      added ??= await api.post(`/students/${studentId ?? student}/leaves`, {
        from: first,
        to: last,
        kind,
        remark,
      });
      if (file.files.length === 0) return;
      settle(what, t("leave.notedAlready"));
      await sendDocument(added.leave_id, file.files[0]);
    },
  });
  if (added) tellEffect(t("leave.added"), added);
  return Boolean(did) || added !== null;
}

function documentField() {
  const file = input("document", { type: "file", accept: DOCUMENTS });
  file.addEventListener("change", () =>
    file.setCustomValidity(file.files[0]?.size > MOST_BYTES ? t("leave.tooLarge") : ""),
  );
  return file;
}

function sendDocument(id, document) {
  const form = new FormData();
  form.append("document", document);
  return api.send(`/leaves/${id}/document`, form, { method: "PUT" });
}

/** What became of sessions of these days; confirmed ones are left as they are. */
function tellEffect(text, effect) {
  const left = effect.confirmed_sessions?.length ?? 0;
  say(left > 0 ? `${text} ${t("leave.confirmedLeft", { count: left })}` : text);
}

/** @param {() => void} changed shows the list anew @param {{named?: boolean}} [look] with the student's name */
export function leaveRow(leave, changed, { named = false } = {}) {
  const remove = async () => {
    if (!(await confirmed(t("leave.remove"), t("leave.removeText"), t("action.delete")))) return;
    tellEffect(t("leave.removed"), await api.remove(`/leaves/${leave.leave_id}`));
    changed();
  };
  const attach = async () => {
    const file = documentField();
    const did = await ask({
      title: t("leave.document"),
      fields: [field(t("leave.document"), file, t("leave.documentHint"))],
      send: () => {
        if (file.files.length === 0) throw new Error(t("leave.noFile"));
        return sendDocument(leave.leave_id, file.files[0]);
      },
    });
    if (!did) return;
    say(t("leave.attached"));
    changed();
  };
  const days =
    leave.from === leave.to
      ? dayOf(leave.from, "date")
      : t("leave.days", { from: dayOf(leave.from, "short"), to: dayOf(leave.to, "date") });
  return h(
    "li",
    { class: "leave" },
    named && portrait(leave.student_id, ""),
    h(
      "div",
      { class: "grow" },
      named &&
        h(
          "a",
          { class: "member-link", href: to(`/students/${leave.student_id}`, { tab: "leave" }) },
          h("span", { class: "quiet" }, leave.roll_no),
          ` ${leave.name}`,
        ),
      h(
        "p",
        { class: "row" },
        h("strong", {}, days),
        h("span", { class: "tag" }, t(`leave.kinds.${leave.kind}`)),
        isNow(leave) && h("span", { class: "tag tag-warn" }, t("leave.now")),
      ),
      leave.remark && h("p", {}, leave.remark),
      h(
        "p",
        { class: "small quiet" },
        t("leave.by", { name: leave.created_by, when: when(leave.created_at, "date") }),
      ),
    ),
    h("div", { class: "row" }, [
      leave.document
        ? downloadButton(
            t("leave.open", { size: bytes(leave.document.bytes) }),
            () => api.file(`/leaves/${leave.leave_id}/document`),
            {
              label: t("leave.openLabel", { name: leave.document.name, size: bytes(leave.document.bytes) }),
            },
          )
        : button(t("leave.attach"), attach, { kind: "plain", icon: "file" }),
      button("", remove, { icon: "trash", kind: "plain", label: t("leave.removeOf", { days }) }),
    ]),
  );
}

const isNow = ({ from, to: until }) => from <= today() && today() <= until;
