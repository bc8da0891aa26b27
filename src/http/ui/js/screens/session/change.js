// What a session is called and of which subject it is, and what its teacher wants to be known.

import * as api from "../../api.js";
import { area, ask, field, input, select } from "../../parts/form.js";
import { say } from "../../parts/toast.js";
import { t } from "../../text.js";

export async function changeSession(model) {
  const { session, subjects } = model;
  const choices = [["", t("take.noSubject")], ...subjects.map((item) => [item.id, item.name])];
  const did = await ask({
    title: t("session.changeTitle"),
    fields: [
      subjects.length > 0 && field(t("take.subject"), select("subject", choices, session.subject_id ?? "")),
      field(t("take.name"), input("name", { maxlength: 200, value: session.name ?? "" }), t("take.nameHint")),
      field(t("session.remark"), area("remark", session.remark ?? "", { maxlength: 500 }), t("session.remarkHint")),
    ],
    send: ({ subject = null, name, remark }) => {
      const said = { subject_id: subject === null ? null : Number(subject), name, remark };
      return api.patch(`/sessions/${model.id}`, said);
    },
  });
  if (!did) return;
  await model.refresh();
  say(t("session.changeDone"));
}
