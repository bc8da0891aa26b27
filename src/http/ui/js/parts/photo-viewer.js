// A photo with its faces: larger and smaller by wheel, pinch and keys, moved by dragging, faces to choose by tap and by Tab.

import { h, refill } from "../dom.js";
import { t } from "../text.js";
import { button } from "./button.js";

const MOST = 12;
/** A finger that moved less has tapped, CSS pixels. */
const TAP_PX = 8;

/**
 * @param {{width: number, height: number, address: Promise<string>, label: string, choose: (face) => void}} photo in pixels of
 *   the upright photo
 * @returns {{element: Element, show: (faces: Array<{id, box, tone, text, name}>) => void, mark: (id: number|null) => void}}
 */
export function photoViewer({ width, height, address, label, choose }) {
  const picture = h("img", { class: "viewer-photo", alt: "", draggable: "false", width, height });
  address.then((url) => (picture.src = url)).catch(() => picture.classList.add("viewer-missing"));
  const layer = h("div", { class: "viewer-faces" });
  const sheet = h("div", { class: "viewer-sheet" }, picture, layer);
  const stage = h(
    "div",
    { class: "viewer-stage", role: "group", "aria-label": label, css: { "--shape": `${width} / ${height}` } },
    sheet,
  );
  const view = { scale: 1, x: 0, y: 0 };

  const place = () => {
    const { clientWidth, clientHeight } = stage;
    view.scale = Math.min(Math.max(view.scale, 1), MOST);
    view.x = Math.min(0, Math.max(view.x, clientWidth * (1 - view.scale)));
    view.y = Math.min(0, Math.max(view.y, clientHeight * (1 - view.scale)));
    sheet.style.setProperty("transform", `translate(${view.x}px, ${view.y}px) scale(${view.scale})`);
    // Frames and names stay as thin and as small as they are on the whole photo.
    sheet.style.setProperty("--thin", String(1 / view.scale));
    stage.classList.toggle("viewer-larger", view.scale > 1);
  };

  /** Larger or smaller around a point of the stage that stays where it is. */
  const zoom = (factor, x = stage.clientWidth / 2, y = stage.clientHeight / 2) => {
    const before = view.scale;
    view.scale = Math.min(Math.max(before * factor, 1), MOST);
    view.x = x - ((x - view.x) * view.scale) / before;
    view.y = y - ((y - view.y) * view.scale) / before;
    place();
  };
  const whole = () => {
    Object.assign(view, { scale: 1, x: 0, y: 0 });
    place();
  };

  /** Brings a face into view, large enough to be looked at. */
  const look = (box) => {
    const { clientWidth, clientHeight } = stage;
    const unit = clientWidth / width;
    view.scale = Math.min(Math.max(1, (clientHeight * 0.35) / (box[3] * unit)), 6);
    view.x = clientWidth / 2 - (box[0] + box[2] / 2) * unit * view.scale;
    view.y = clientHeight / 2 - (box[1] + box[3] / 2) * unit * view.scale;
    place();
  };

  move(stage, view, { zoom, place });
  let shown = [];
  const names = h("div", { class: "viewer-bar" }, [
    button("", () => zoom(1.5), { icon: "plus", kind: "plain", label: t("viewer.zoomIn") }),
    button("", () => zoom(1 / 1.5), { icon: "minus", kind: "plain", label: t("viewer.zoomOut") }),
    button(t("viewer.whole"), whole, { kind: "plain" }),
  ]);
  const uncompared = legendLine("none");
  const legend = h("ul", { class: "legend" }, ["match", "doubt", "stranger"].map(legendLine), uncompared);
  const element = h("div", { class: "viewer" }, stage, h("div", { class: "viewer-foot" }, legend, names));

  return {
    element,
    show(faces) {
      shown = faces;
      uncompared.hidden = !faces.some(({ tone }) => tone === "none");
      refill(layer, faces.map((face) => frameOf(face, width, height, () => choose(face), () => view.scale > 1 && look(face.box))));
    },
    mark(id) {
      for (const frame of layer.children) frame.classList.toggle("face-marked", frame.dataset.face === String(id));
      const face = shown.find((face) => face.id === id);
      if (face) look(face.box);
    },
  };
}

function frameOf(face, width, height, choose, focus) {
  const [x, y, w, h_] = face.box;
  const share = (value, of) => `${(100 * value) / of}%`;
  return h(
    "button",
    {
      type: "button",
      class: `face face-${face.tone}`,
      "aria-label": face.text,
      title: face.text,
      data: { face: face.id, key: `face-${face.id}` },
      css: { left: share(x, width), top: share(y, height), width: share(w, width), height: share(h_, height) },
      on: { click: choose, focus: (event) => event.target.matches(":focus-visible") && focus() },
    },
    face.name && h("span", { class: "face-name", "aria-hidden": "true" }, face.name),
  );
}

const legendLine = (tone) => h("li", { class: `legend-${tone}` }, t(`viewer.legend.${tone}`));

/** Wheel, drag, pinch, double tap and keys. */
function move(stage, view, { zoom, place }) {
  const fingers = new Map();
  let moved = 0;
  const at = (event) => {
    const frame = stage.getBoundingClientRect();
    return [event.clientX - frame.left, event.clientY - frame.top];
  };
  stage.addEventListener(
    "wheel",
    (event) => {
      // A page is scrolled past a photo; with Ctrl, or when it is enlarged, the wheel is for the photo.
      if (!event.ctrlKey && view.scale === 1) return;
      event.preventDefault();
      zoom(Math.exp(-event.deltaY / 300), ...at(event));
    },
    { passive: false },
  );
  stage.addEventListener("pointerdown", (event) => {
    fingers.set(event.pointerId, at(event));
    if (fingers.size === 1) moved = 0;
  });
  stage.addEventListener("pointermove", (event) => {
    const before = fingers.get(event.pointerId);
    if (before === undefined) return;
    const now = at(event);
    const other = [...fingers].find(([id]) => id !== event.pointerId)?.[1];
    fingers.set(event.pointerId, now);
    moved += Math.hypot(now[0] - before[0], now[1] - before[1]);
    if (other) {
      const apart = (point) => Math.hypot(point[0] - other[0], point[1] - other[1]) || 1;
      zoom(apart(now) / apart(before), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
    } else if (view.scale > 1 && moved > TAP_PX) {
      stage.setPointerCapture(event.pointerId);
      view.x += now[0] - before[0];
      view.y += now[1] - before[1];
      place();
    }
  });
  for (const end of ["pointerup", "pointercancel", "pointerleave"]) {
    stage.addEventListener(end, (event) => fingers.delete(event.pointerId));
  }
  // What was dragged is not also pressed. A press of a key is no click of a pointer: its count is 0.
  const dragged = (event) => {
    if (moved > TAP_PX && event.detail > 0) event.stopPropagation();
    moved = 0;
  };
  stage.addEventListener("click", dragged, { capture: true });
  stage.addEventListener("dblclick", (event) => zoom(view.scale > 1 ? 1 / view.scale : 2.5, ...at(event)));
  stage.addEventListener("keydown", (event) => {
    const step = 60;
    const act = {
      "+": () => zoom(1.5),
      "-": () => zoom(1 / 1.5),
      ArrowLeft: () => (view.x += step),
      ArrowRight: () => (view.x -= step),
      ArrowUp: () => (view.y += step),
      ArrowDown: () => (view.y -= step),
    }[event.key];
    if (!act || (event.key.startsWith("Arrow") && view.scale === 1)) return;
    event.preventDefault();
    act();
    place();
  });
  new ResizeObserver(place).observe(stage);
}
