// What can be done to an entry of a list: another name, and away with it.

import * as api from "../../api.js";
import { button } from "../../parts/button.js";
import { confirmed } from "../../parts/dialog.js";
import { ask } from "../../parts/form.js";
import { say } from "../../parts/toast.js";
import { t } from "../../text.js";

/**
 * @param {object} entry
 * @param {string} entry.path below the interface's root
 * @param {string} entry.name
 * @param {() => Node[]} entry.fields of the form that changes it
 * @param {(said: object) => object} [entry.body] what is sent for what stands in them
 * @param {(changed: object) => string} entry.nameOf how it is called afterwards
 * @param {string} [entry.renameText] what to know before it is renamed
 * @param {string} entry.deleteText what to know before it is deleted
 * @param {() => Promise<void>} entry.after shows what has become of it
 */
export function entryActions({ path, name, fields, body = (said) => said, nameOf, renameText, deleteText, after }) {
  const rename = async () => {
    const changed = await ask({
      title: t("admin.settings.rename", { name }),
      text: renameText,
      fields: fields(),
      send: (said) => api.patch(path, body(said)),
    });
    if (!changed) return;
    say(t("admin.settings.renamed", { name, to: nameOf(changed) }));
    await after();
  };
  const remove = async () => {
    if (!(await confirmed(t("admin.settings.deleteThis", { name }), deleteText, t("action.delete")))) return;
    await api.remove(path);
    say(t("admin.settings.deleted", { name }));
    await after();
  };
  return [
    button(t("admin.settings.renameAction"), rename, { kind: "plain", label: t("admin.settings.rename", { name }) }),
    button("", remove, { kind: "plain", icon: "trash", label: t("admin.settings.deleteLabel", { name }) }),
  ];
}
