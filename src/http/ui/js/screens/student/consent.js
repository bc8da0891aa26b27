// Whether a student's face may be recognised: said by the student or the parents, recorded by administrators.

import { h } from "../../dom.js";
import { confirmed } from "../../parts/dialog.js";
import { t } from "../../text.js";

const KIND = { given: "tag-good", withdrawn: "tag-bad", unknown: "tag-warn" };

export const consentTag = (consent) => h("span", { class: `tag ${KIND[consent]}` }, t(`student.consentTag.${consent}`));

/** Asks before all pictures of a student are deleted; throws when they are to stay. */
export async function withdrawalConfirmed(name) {
  const sure = await confirmed(t("student.withdraw", { name }), t("student.withdrawText"), t("student.withdrawAction"));
  if (!sure) throw new DOMException("the consent stays", "AbortError");
}
