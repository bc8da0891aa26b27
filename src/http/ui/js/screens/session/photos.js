// The photos of a session: those on their way, those that are looked at, and one of them large with its faces.

import * as api from "../../api.js";
import { fill, h, refill } from "../../dom.js";
import { button } from "../../parts/button.js";
import { confirmed } from "../../parts/dialog.js";
import { fetchPicture } from "../../parts/picture.js";
import { photoViewer } from "../../parts/photo-viewer.js";
import { empty, why } from "../../parts/states.js";
import { percent, t } from "../../text.js";
import * as uploads from "../../uploads.js";
import { mayRecord } from "../../viewer.js";
import { dropZone } from "../take.js";
import { nameOf, previewPath, textOf, toneOf } from "./faces.js";
import { openFace } from "./face-sheet.js";

/** @returns {{element: Element, look: (face) => void}} `look` shows a face in its photo */
export function photosPart(model) {
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
    if (!looked.some((photo) => photo.id === shown)) choose(looked[0]?.id ?? null);
    refill(
      tabs,
      looked.length > 1 &&
        looked.map((photo, i) =>
          h("button", { type: "button", class: "photo-tab", data: { key: `photo-${photo.id}` }, "aria-pressed": String(photo.id === shown), on: { click: () => (choose(photo.id), show()) } }, t("session.photo", { number: i + 1 })),
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
    const waits = model.photos.length > 0 || uploads.waiting(model.id).length > 0;
    fill(stage, viewer ? viewer.element : waits ? h("div", { class: "viewer-waiting" }, h("div", { class: "spinner" })) : empty(t("session.noPhotos"), t("session.noPhotosText")));
  };

  const showSending = () => {
    const open = uploads.waiting(model.id);
    const here = model.photos.filter((photo) => photo.state !== "done");
    fill(sending, open.map(uploadRow), here.map((photo) => photoRow(model, photo)));
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
      stage.scrollIntoView({ block: "nearest", behavior: "smooth" });
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

/** A photo that the service does not have yet. */
function uploadRow(photo) {
  const text = photo.state === "sending" ? t("sending.sending", { share: percent(photo.share) }) : t(`sending.${photo.state}`);
  return h(
    "li",
    { class: "sending-row" },
    h("div", { class: "grow" }, h("p", {}, photo.name), h("p", { class: "small quiet" }, photo.state === "waiting" && photo.error ? t("sending.retry") : text), photo.state === "refused" && h("p", { class: "small bad" }, why(photo.error))),
    photo.state === "sending" && h("progress", { max: 1, value: photo.share, "aria-label": photo.name }),
    photo.state === "refused" && button(t("sending.again"), () => uploads.again(photo)),
    photo.state !== "sending" && button("", () => uploads.drop(photo), { icon: "close", kind: "plain", label: t("sending.drop") }),
  );
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
  await model.load();
}
