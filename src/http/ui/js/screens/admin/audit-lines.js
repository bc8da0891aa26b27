// Lines of the audit log, in words.

import { freshId, h } from "../../dom.js";
import { icon } from "../../parts/icon.js";
import * as school from "../../school.js";
import { has, t, when } from "../../text.js";
import { facts } from "./facts.js";

/** What can be done, by what it is about. Names with a dot are done; the others are requests, which may have been refused. */
export const ACTIONS = {
  auth: ["auth.login", "auth.fail", "auth.logout", "auth.reuse"],
  user: ["user.create", "user.change", "user.password"],
  token: ["token.create", "token.revoke"],
  class: [
    "create_class",
    "change_class",
    "class.begin_pilot",
    "class.end_pilot",
    "add_member",
    "change_member",
    "create_student",
    "change_student",
    "import_roster",
    "delete_class",
    "create_subject",
    "change_subject",
    "delete_subject",
    "replace_timetable",
  ],
  enrol: ["import_enrolments", "add_samples", "delete_sample", "forget_learned"],
  session: [
    "create_session",
    "change_session",
    "delete_session",
    "upload_photos",
    "delete_photo",
    "create_photo_links",
    "decide_face",
    "undo_face_decision",
    "correct_record",
    "correct_records",
    "withdraw_correction",
    "confirm_session",
    "session.confirm",
    "reopen_session",
    "session.reopen",
    "import_session_sheet",
    "leave.add",
    "leave.remove",
    "set_leave_document",
  ],
  job: ["create_export", "cancel_job", "retry_job"],
  settings: ["replace_status_styles", "reset_status_styles", "add_holiday", "delete_holiday"],
  seen: [
    "get_sample_image",
    "get_photo_original",
    "get_photo_preview",
    "get_photo_annotated",
    "get_face_crop",
    "export_session",
    "export_register",
    "get_export",
    "get_export_file",
    "get_leave_document",
  ],
  tools: ["compare_pilot", "compare_faces", "detect_faces", "embed_faces", "verify_faces"],
};

/** Keys of texts have no dots of their own. */
const keyOf = (action) => `admin.audit.did.${action.replace(".", "_")}`;

/** An action that is new to the page is shown as the service writes it. */
export const actionName = (action) => (has(keyOf(action)) ? t(keyOf(action)) : action);

const OBJECT_SCREENS = { session: "sessions", class: "classes", student: "students" };

/** @param {{classes: any[], users: any[]}} known for the names of what lines are about */
export const auditLines = (lines, known) =>
  h(
    "ul",
    { class: "list audit" },
    runs(lines).map((run) => runRow(run, known)),
  );

/** Lines of the same kind on end, such as every face of a photo that somebody opens: one row for all. */
function runs(lines) {
  const found = [];
  for (const line of lines) {
    const last = found.at(-1);
    if (last && goesWith(last[0], line)) last.push(line);
    else found.push([line]);
  }
  return found;
}

const goesWith = (one, other) =>
  ACTIONS.seen.includes(one.action) &&
  ["action", "actor_kind", "actor_id", "actor", "class_id"].every((name) => one[name] === other[name]) &&
  one.detail?.refused === other.detail?.refused;

/** @param {any[]} run newest first */
function runRow(run, known) {
  const id = freshId("line");
  const [line] = run;
  const refused = line.detail?.refused;
  const body = h("div", { id, class: "audit-detail", hidden: true });
  const press = h(
    "button",
    { type: "button", class: "list-item audit-line", "aria-expanded": "false", "aria-controls": id },
    h("span", { class: "small quiet audit-when" }, when(line.at, "moment")),
    h(
      "span",
      { class: "audit-who" },
      line.actor || h("span", { class: "quiet" }, t(`admin.audit.actorKind.${line.actor_kind}`)),
    ),
    h(
      "span",
      { class: "audit-what" },
      h("strong", {}, actionName(line.action)),
      refused && h("span", { class: "tag tag-bad" }, t("admin.audit.refused", { status: String(refused) })),
    ),
    h(
      "span",
      { class: "small quiet audit-object" },
      run.length > 1 ? t("admin.audit.times", { count: run.length }) : objectOf(line, known),
    ),
    h("span", { class: "audit-open" }, icon("back")),
  );
  press.addEventListener("click", () => {
    const open = body.hidden;
    // Most lines are never opened.
    if (open && !body.firstChild) body.append(...run.map((one) => detailsOf(one, known)));
    body.hidden = !open;
    press.setAttribute("aria-expanded", String(open));
  });
  return h("li", {}, press, body);
}

function objectOf({ object_kind: kind, object_id: id }, { classes, users }) {
  if (kind === null) return "";
  const name = has(`admin.audit.objects.${kind}`) ? t(`admin.audit.objects.${kind}`) : kind;
  const found =
    kind === "class"
      ? classes.find((item) => item.id === id)
      : kind === "user"
        ? users.find((item) => item.id === id)
        : null;
  if (found) return `${name} ${kind === "class" ? school.className(found) : found.display_name}`;
  return t("admin.audit.objectNo", { kind: name, id: id === null ? "" : String(id) });
}

function detailsOf(line, known) {
  const inClass = known.classes.find((item) => item.id === line.class_id);
  const screen = OBJECT_SCREENS[line.object_kind];
  const about = objectOf(line, known);
  return facts([
    [t("admin.audit.at"), `${when(line.at, "date")}, ${when(line.at, "exact")}`],
    [
      t("admin.audit.columns.who"),
      [line.actor, t(`admin.audit.actorKind.${line.actor_kind}`)].filter(Boolean).join(", "),
    ],
    [t("admin.audit.columns.what"), h("code", {}, line.action)],
    about && [t("admin.audit.object"), screen ? h("a", { href: `#/${screen}/${line.object_id}` }, about) : about],
    inClass && [t("admin.audit.class"), h("a", { href: `#/classes/${inClass.id}` }, school.className(inClass))],
    ...Object.entries(line.detail ?? {}).map(([name, value]) => [words(name), inWords(value)]),
    line.address && [t("admin.audit.address"), line.address],
    line.request_id && [t("admin.audit.request"), h("code", { class: "breaks" }, line.request_id)],
    [t("admin.audit.lineNo"), String(line.id)],
  ]);
}

const words = (name) => (name.charAt(0).toUpperCase() + name.slice(1)).replaceAll("_", " ");

/** What a line says besides: lists with commas, sets as name and value. */
function inWords(value) {
  if (value === null || value === "") return t("admin.audit.nothing");
  if (value === true || value === false) return t(`admin.audit.${value ? "yes" : "no"}`);
  if (Array.isArray(value)) return value.length === 0 ? t("admin.audit.nothing") : value.map(asText).join(", ");
  if (typeof value === "object")
    return Object.entries(value)
      .map(([name, part]) => `${words(name)}: ${asText(part)}`)
      .join("; ");
  return String(value);
}

const asText = (value) =>
  value !== null && typeof value === "object" ? JSON.stringify(value) : String(inWords(value));
