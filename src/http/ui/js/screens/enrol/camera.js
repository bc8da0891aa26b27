// The camera in the page where the browser allows it; otherwise why not, the device's own camera, and files.

import { fill, h } from "../../dom.js";
import { button } from "../../parts/button.js";
import { pictureField } from "../../parts/files.js";
import { icon } from "../../parts/icon.js";
import { t } from "../../text.js";

const JPEG_QUALITY = 0.94;
const WANTED = { width: { ideal: 960 }, height: { ideal: 720 } };

/** @param {(file: File) => void} add takes a picture over @param {AbortSignal} signal switches the camera off */
export function cameraPart(add, signal) {
  const place = h("div", { class: "camera-place" });
  const camera = { stream: null, facing: matchMedia("(pointer: coarse)").matches ? "environment" : "user", taken: 0 };
  signal.addEventListener("abort", () => stop(camera));
  const possible = window.isSecureContext && Boolean(navigator.mediaDevices?.getUserMedia);
  const begin = async () => {
    try {
      await start(camera, signal);
      await showPicture(camera, place, add, begin);
    } catch (error) {
      showOff(place, reasonOf(error), begin);
    }
  };
  if (possible) showOff(place, null, begin);
  else showOff(place, t(window.isSecureContext ? "enrol.noCamera" : "enrol.notSecure"), null);
  return h("div", { class: "camera" }, place, filesPart(add, !possible));
}

const reasonOf = (error) =>
  ({
    NotAllowedError: t("enrol.notAllowed"),
    NotFoundError: t("enrol.noCamera"),
    NotReadableError: t("enrol.inUse"),
  })[error.name] ?? error.message;

async function start(camera, signal) {
  stop(camera);
  const stream = await navigator.mediaDevices.getUserMedia({
    audio: false,
    video: { ...WANTED, facingMode: camera.facing },
  });
  camera.stream = stream;
  // The screen was left while the person was asked.
  if (signal.aborted) stop(camera);
}

function stop(camera) {
  camera.stream?.getTracks().forEach((track) => track.stop());
  camera.stream = null;
}

function showOff(place, reason, begin) {
  fill(
    place,
    h(
      "div",
      { class: "camera-stage camera-off" },
      icon("camera"),
      reason && h("p", { role: "status" }, reason),
      begin &&
        button(t(reason ? "action.retry" : "enrol.start"), begin, {
          kind: "primary",
          large: true,
          icon: "camera",
        }),
    ),
  );
}

async function showPicture(camera, place, add, begin) {
  const video = h("video", { class: "camera-video", playsinline: true, "aria-label": t("enrol.video") });
  video.muted = true;
  video.srcObject = camera.stream;
  video.classList.toggle("camera-mirror", camera.facing === "user");
  const flash = h("div", { class: "camera-flash", "aria-hidden": "true" });
  const shoot = async () => {
    flash.classList.remove("camera-flashing");
    void flash.offsetWidth;
    flash.classList.add("camera-flashing");
    camera.taken += 1;
    add(await pictureOf(video, camera.taken));
  };
  const turn = () => {
    camera.facing = camera.facing === "user" ? "environment" : "user";
    return begin();
  };
  const off = () => {
    stop(camera);
    showOff(place, null, begin);
  };
  const cameras = (await navigator.mediaDevices.enumerateDevices()).filter((device) => device.kind === "videoinput");
  fill(
    place,
    h("div", { class: "camera-stage" }, video, h("div", { class: "camera-guide", "aria-hidden": "true" }), flash),
    h("div", { class: "camera-bar" }, [
      button(t("enrol.shoot"), shoot, { kind: "primary", large: true, icon: "camera" }),
      cameras.length > 1 && button("", turn, { icon: "refresh", label: t("enrol.turn") }),
      button("", off, { icon: "close", label: t("enrol.stop") }),
    ]),
  );
  await video.play();
  place.querySelector(".button-primary").focus();
}

/** The picture as the camera sees it, not mirrored. */
function pictureOf(video, number) {
  const canvas = h("canvas", { width: video.videoWidth, height: video.videoHeight });
  canvas.getContext("2d").drawImage(video, 0, 0);
  return new Promise((done, fail) => {
    canvas.toBlob(
      (blob) =>
        blob
          ? done(new File([blob], `camera-${number}.jpg`, { type: "image/jpeg" }))
          : fail(new Error(t("enrol.noPicture"))),
      "image/jpeg",
      JPEG_QUALITY,
    );
  });
}

/** @param {boolean} withCamera whether the device's own camera is offered */
function filesPart(add, withCamera) {
  const take = (files) => files.forEach((file) => add(file));
  const [own, files] = [pictureField(take, { capture: "environment" }), pictureField(take, { multiple: true })];
  return h(
    "div",
    { class: "row camera-files" },
    own,
    files,
    withCamera && button(t("enrol.ownCamera"), () => own.click(), { kind: "primary", icon: "camera" }),
    button(t("enrol.files"), () => files.click(), { icon: "file" }),
  );
}
