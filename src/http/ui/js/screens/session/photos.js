// The photos of a session: those on their way, those that are looked at, and one of them large with its faces.

import * as api from "../../api.js";
import { fill, h, refill } from "../../dom.js";
import { button } from "../../parts/button.js";
import { confirmed } from "../../parts/dialog.js";
import { fetchPicture } from "../../parts/picture.js";
import { photoViewer } from "../../parts/photo-viewer.js";
import { empty, why } from "../../parts/states.js";
import { note } from "../../router.js";
import { percent, t } from "../../text.js";
import * as uploads from "../../uploads.js";
import { mayRecord } from "../../viewer.js";
import { dropZone } from "../take.js";
import { previewPath, textOf, toneOf } from "./faces.js";
import { openFace } from "./face-sheet.js";

const isStill = matchMedia("(prefers-reduced-motion: reduce)");

/** @param {number|null} wanted the photo that is shown first @returns {{element: Element, look: (face) => void}} `look` shows a face in its photo */
export function photosPart(model, wanted) {
  const sending = h("ul", { class: "sending-list" });
  const tabs = h("div", { class: "photo-tabs", role: "group", "aria-label": t("session.photos") });
  const stage = h("div", { class: "photo-stage" });
  const foot = h("div", { class: "row photo-foot" });
  const add = h("details", { class: "add-photos" });
  const element = h("section", { class: "photos", "aria-label": t("session.photos") }, tabs, stage, sending, foot, add);
  let shown = null;
  let viewer = null;

  const show = () => {
    const looked = model.photos.filter((photo) => photo.state === "done");
    if (!looked.some((photo) => photo.id === shown)) choose(looked.find((photo) => photo.id === wanted)?.id ?? looked[0]?.id ?? null);
    refill(
      tabs,
      looked.length > 1 &&
        looked.map((photo, i) =>
          h("button", { type: "button", class: "photo-tab", data: { key: `photo-${photo.id}` }, "aria-pressed": String(photo.id === shown), on: { click: () => (choose(photo.id), note({ photo: photo.id }), show()) } }, t("session.photo", { number: i + 1 })),
        ),
    );
    viewer?.show((model.faces.get(shown) ?? []).map((face) => ({ ...face, tone: toneOf(face), text: textOf(face), name: labelOf(model, face) })));
    showSending();
    const mayChange = mayRecord() && !model.isConfirmed;
    fill(foot, shown !== null && mayChange && button(t("session.removePhoto"), () => remove(model, shown), { kind: "plain", icon: "trash" }));
    add.hidden = !mayChange;
  };

  const choose = (id) => {
    shown = id;
    const photo = model.photos.find((photo) => photo.id === id);
    viewer = photo
      ? photoViewer({
          width: photo.width,
          height: photo.height,
          address: fetchPicture(previewPath(photo)).then((picture) => picture.address),
          label: t("viewer.label", { count: (model.faces.get(id) ?? []).length }),
          choose: (face) => openFace(model, model.faceById(face.id)),
        })
      : null;
    fill(stage, viewer ? viewer.element : nothingYet());
  };

  const nothingYet = () => {
    if (model.isWaiting) return h("div", { class: "viewer-waiting" }, h("div", { class: "spinner" }));
    if (model.photos.length > 0) return empty(t("session.noneReadable"), t("session.noPhotosText"));
    return empty(t("session.noPhotos"), t("session.noPhotosText"));
  };

  /** Rows stay while their photo is in the same state: somebody may be about to press in one. */
  let rows = new Map();
  const showSending = () => {
    const before = rows;
    rows = new Map();
    const row = (key, state, make) => rows.set(key, before.get(key)?.state === state ? before.get(key) : { state, ...make() });
    for (const photo of uploads.waiting(model.id)) {
      row(`upload ${photo.id}`, `${photo.state} ${photo.error !== null}`, () => uploadRow(photo));
      rows.get(`upload ${photo.id}`).update?.();
    }
    for (const photo of model.photos.filter((photo) => photo.state !== "done"))
      row(`photo ${photo.id}`, photo.state, () => ({ element: photoRow(model, photo) }));
    const [old, now] = [[...before.values()], [...rows.values()]];
    if (old.length !== now.length || old.some((one, i) => one !== now[i])) fill(sending, now.map(({ element }) => element));
  };

  fill(add, h("summary", {}, t("session.addPhotos")), dropZone((files) => uploads.add(model.id, files)));
  const stop = uploads.onUploads(showSending);
  model.signal.addEventListener("abort", stop);
  model.onChange(show);
  show();
  add.open = mayRecord() && model.photos.length === 0 && uploads.waiting(model.id).length === 0;
  return {
    element,
    look(face) {
      if (face.photo_id !== shown) choose(face.photo_id);
      show();
      viewer.mark(face.id);
      stage.scrollIntoView({ block: "nearest", behavior: isStill.matches ? "auto" : "smooth" });
    },
  };
}

/** What stands at a face: the roll number, and the name where there is room. */
function labelOf(model, face) {
  const member = face.member;
  if (!member || toneOf(face) === "stranger") return null;
  const doubt = face.verdict === "doubt" && !face.decision ? "?" : "";
  return [model.shortRoll(member.roll_no), h("span", { class: "face-full" }, ` ${member.name}`), doubt];
}

/** A photo that the service does not have yet; `update` shows how far it is. */
function uploadRow(photo) {
  const text = h("p", { class: "small quiet" }, photo.state === "waiting" && photo.error ? t("sending.retry") : t(`sending.${photo.state}`, { share: percent(photo.share) }));
  const bar = photo.state === "sending" && h("progress", { max: 1, value: photo.share, "aria-label": photo.name });
  const update = () => {
    bar.value = photo.share;
    text.textContent = t("sending.sending", { share: percent(photo.share) });
  };
  const element = h(
    "li",
    { class: "sending-row" },
    h("div", { class: "grow" }, h("p", {}, photo.name), text, photo.state === "refused" && h("p", { class: "small bad" }, why(photo.error))),
    bar,
    photo.state === "refused" && button(t("sending.again"), () => uploads.again(photo)),
    photo.state !== "sending" && button("", () => uploads.drop(photo), { icon: "close", kind: "plain", label: t("sending.drop") }),
  );
  return { element, update: bar ? update : null };
}

/** A photo that is not looked at yet, or could not be read. */
const photoRow = (model, photo) =>
  h(
    "li",
    { class: "sending-row" },
    photo.state !== "failed" && h("div", { class: "spinner spinner-small" }),
    h("div", { class: "grow" }, h("p", {}, photo.file_name), h("p", { class: `small ${photo.state === "failed" ? "bad" : "quiet"}` }, t(`sending.${photo.state}`), photo.error && `: ${photo.error.message}`)),
    photo.state === "failed" && mayRecord() && button(t("action.remove"), () => remove(model, photo.id), { icon: "trash" }),
  );

async function remove(model, id) {
  if (!(await confirmed(t("session.removePhoto"), t("session.removePhotoText"), t("action.remove")))) return;
  await api.remove(`/photos/${id}`);
  await model.refresh();
}
