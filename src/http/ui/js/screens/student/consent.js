// Whether a student's face may be recognised: said by the student or the parents, recorded by administrators.

import { h } from "../../dom.js";
import { t } from "../../text.js";

const KIND = { given: "tag-good", withdrawn: "tag-bad", unknown: "tag-warn" };

export const consentTag = (consent) => h("span", { class: `tag ${KIND[consent]}` }, t(`student.consentTag.${consent}`));
