// Taking attendance: class, photos, send. Everything else has a good answer already.

import * as api from "../api.js";
import { fill, h } from "../dom.js";
import { button } from "../parts/button.js";
import { droppable, pictureField, picturesOf } from "../parts/files.js";
import { field, input, select } from "../parts/form.js";
import { icon } from "../parts/icon.js";
import { say } from "../parts/toast.js";
import { go } from "../router.js";
import * as school from "../school.js";
import { bytes, localInput, momentIn, t } from "../text.js";
import * as uploads from "../uploads.js";

/** The subject that was taken last with a class. */
const LAST = "rollcall.subject";

export async function show({ query, signal }) {
  const [classes, subjects] = await Promise.all([school.classes(), school.subjects()]);
  const photos = [];
  const chosenClass = select(
    "class",
    [["", t("take.chooseClass")], ...classes.map((item) => [item.id, school.nameInTerm(item)])],
    query.get("class") ?? (classes.length === 1 ? classes[0].id : ""),
    { required: true },
  );
  const lastSubject = () => JSON.parse(localStorage.getItem(LAST) ?? "{}")[chosenClass.value] ?? "";
  const chosenSubject = select(
    "subject",
    [["", t("take.noSubject")], ...subjects.map((item) => [item.id, item.name])],
    query.get("subject") ?? lastSubject(),
  );
  chosenClass.addEventListener("change", () => {
    if (!query.get("subject")) chosenSubject.value = lastSubject();
  });
  const startsAt = input("starts_at", { type: "datetime-local", value: query.get("at") ? localInput(query.get("at")) : null });
  const name = input("name", { maxlength: 100 });

  const previews = h("ul", { class: "previews" });
  const send = button("", () => sendAll(), { kind: "primary", large: true, icon: "upload" });
  const showPhotos = () => {
    fill(previews, photos.map((photo, i) => preview(photo, i, leaveOut)));
    send.disabled = photos.length === 0;
    fill(send, icon("upload"), h("span", {}, photos.length === 0 ? t("take.noPhotos") : t("take.send", { count: photos.length })));
  };
  const addPhotos = (files) => {
    const isNew = (file) => !photos.some((photo) => photo.file.name === file.name && photo.file.size === file.size);
    photos.push(...files.filter(isNew).map((file) => ({ file, address: URL.createObjectURL(file) })));
    showPhotos();
  };
  const leaveOut = (photo) => {
    URL.revokeObjectURL(photo.address);
    photos.splice(photos.indexOf(photo), 1);
    showPhotos();
  };
  signal.addEventListener("abort", () => photos.forEach((photo) => URL.revokeObjectURL(photo.address)));

  let wish = null;
  let began = null;
  /** What is asked for; the same key as long as it is the same, so that it is made once. */
  const wished = () => {
    if (!chosenClass.reportValidity()) throw new DOMException("no class", "AbortError");
    // Said now, because it may be sent later.
    began ??= new Date().toISOString();
    const body = {
      class_id: Number(chosenClass.value),
      subject_id: chosenSubject.value ? Number(chosenSubject.value) : null,
      name: name.value.trim() || null,
      starts_at: startsAt.value ? momentIn(...startsAt.value.split("T")) : (query.get("at") ?? began),
    };
    if (JSON.stringify(body) !== JSON.stringify(wish?.body)) wish = { key: api.freshKey(), body };
    return wish;
  };
  const remember = () => {
    const last = JSON.parse(localStorage.getItem(LAST) ?? "{}");
    localStorage.setItem(LAST, JSON.stringify({ ...last, [chosenClass.value]: chosenSubject.value }));
  };
  const sendAll = async () => {
    const session = await uploads.addNew(wished(), photos.map((photo) => photo.file));
    remember();
    if (session !== null) return go(`/sessions/${session.id}`);
    say(t("take.kept", { count: photos.length }));
    go("/");
  };
  const withoutPhotos = async () => {
    const { key, body } = wished();
    const session = await api.post("/sessions", body, { key });
    remember();
    go(`/sessions/${session.id}`);
  };

  showPhotos();
  const title = t("take.title");
  return {
    title,
    body: [
      h("div", { class: "head" }, h("h1", {}, title)),
      h(
        "div",
        { class: "take stack" },
        h("div", { class: "take-what" }, field(t("take.class"), chosenClass), subjects.length > 0 && field(t("take.subject"), chosenSubject)),
        h("details", {}, h("summary", {}, t("take.moreOptions")), h("div", { class: "take-what" }, field(t("take.startsAt"), startsAt), field(t("take.name"), name, t("take.nameHint")))),
        dropZone(addPhotos),
        previews,
        h("div", { class: "take-send" }, send, button(t("take.later"), withoutPhotos, { kind: "plain" })),
      ),
    ],
  };
}

/** Camera, files, or photos dropped from another window. @param {(files: File[]) => void} add */
export function dropZone(add) {
  const [camera, files] = [pictureField(add, { capture: "environment" }), pictureField(add, { multiple: true })];
  return droppable(
    h(
      "div",
      { class: "drop" },
      camera,
      files,
      h("div", { class: "drop-buttons" }, [
        button(t("take.shoot"), () => camera.click(), { kind: "primary", large: true, icon: "camera" }),
        button(t("take.choose"), () => files.click(), { large: true, icon: "file" }),
      ]),
      h("p", { class: "quiet drop-hint" }, t("take.drop")),
      h("p", { class: "small quiet" }, t("take.hint")),
    ),
    (dropped) => add(picturesOf(dropped)),
  );
}

const preview = (photo, i, leaveOut) =>
  h(
    "li",
    { class: "preview" },
    h("img", { src: photo.address, alt: t("take.preview", { number: i + 1, name: photo.file.name }) }),
    h("span", { class: "small quiet" }, bytes(photo.file.size)),
    button("", () => leaveOut(photo), { icon: "close", label: t("take.remove", { name: photo.file.name }) }),
  );
