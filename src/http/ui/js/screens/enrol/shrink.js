// Large pictures made smaller before they are sent: a portrait needs no twelve million points, and is judged the sooner.

import { h } from "../../dom.js";

/** Up to this long a side is left as it is; longer ones become `SIDE_PX`. */
const MOST_PX = 1200;
const SIDE_PX = 960;
const JPEG_QUALITY = 0.92;

/** @param {File} file @returns {Promise<File|null>} a smaller one, or null where it is small or the browser cannot read it */
export async function shrunk(file) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    return null;
  }
  const side = Math.max(bitmap.width, bitmap.height);
  if (side <= MOST_PX) {
    bitmap.close();
    return null;
  }
  const [width, height] = [bitmap.width, bitmap.height].map((length) => Math.round((length * SIDE_PX) / side));
  const canvas = h("canvas", { width, height });
  const context = canvas.getContext("2d");
  // What is transparent would turn black.
  context.fillStyle = "#ffffff";
  context.fillRect(0, 0, width, height);
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, width, height);
  bitmap.close();
  const blob = await new Promise((done) => canvas.toBlob(done, "image/jpeg", JPEG_QUALITY));
  return blob && new File([blob], file.name, { type: "image/jpeg" });
}
