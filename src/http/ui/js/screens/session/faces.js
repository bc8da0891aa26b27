// Faces of a session: how they are called, and small pictures of them, cut here out of the photo that is shown anyway.

import { fetchPicture } from "../../parts/picture.js";
import { h } from "../../dom.js";
import { t } from "../../text.js";

/** Added to each side of a face's box, as a share of its longer side. */
const MARGIN = 0.35;
const SIDE_PX = 112;

export const previewPath = (photo) => `/photos/${photo.id}/preview`;

/** How a face is framed: match, doubt, stranger, or none where it was not compared. */
export function toneOf(face) {
  if (face.decision) return face.decision.said.is === "member" ? "match" : "stranger";
  return face.verdict ?? "none";
}

/** Who a face is, in words. */
export function textOf(face) {
  const name = face.member && nameOf(face.member);
  if (face.decision) {
    return face.decision.said.is === "member"
      ? t("viewer.face.decided", { name, by: face.decision.by })
      : t("viewer.face.decidedStranger", { by: face.decision.by });
  }
  if (face.verdict === "doubt") return name ? t("viewer.face.doubt", { name }) : t("viewer.face.doubtNobody");
  return t(`viewer.face.${face.verdict ?? "none"}`, { name });
}

export const nameOf = (member) => `${member.roll_no} ${member.name}`;

/** Pictures that are decoded once for all their faces. */
const decoded = new Map();

function bitmapOf(photo) {
  const path = previewPath(photo);
  if (!decoded.has(path)) {
    const bitmap = fetchPicture(path).then(({ blob }) => createImageBitmap(blob));
    bitmap.catch(() => decoded.delete(path));
    decoded.set(path, bitmap);
  }
  return decoded.get(path);
}

/** Lets go of the pictures of a session that is left. */
export function forgetFaces() {
  for (const bitmap of decoded.values()) bitmap.then((picture) => picture.close()).catch(() => {});
  decoded.clear();
}

/** A face with some room around it. */
export function faceThumb(face, photo, size = "") {
  const canvas = h("canvas", { width: SIDE_PX, height: SIDE_PX });
  const frame = h("span", { class: `picture ${size}`, "aria-hidden": "true" }, canvas);
  bitmapOf(photo)
    .then((bitmap) => {
      const scale = bitmap.width / photo.width;
      const [x, y, w, h_] = face.box;
      const side = Math.max(w, h_) * (1 + 2 * MARGIN);
      const left = x + w / 2 - side / 2;
      const top = y + h_ / 2 - side / 2;
      canvas.getContext("2d").drawImage(bitmap, left * scale, top * scale, side * scale, side * scale, 0, 0, SIDE_PX, SIDE_PX);
    })
    .catch(() => frame.classList.add("picture-missing"));
  return frame;
}
