// How well colours are told apart.

import { luminance } from "../../parts/status.js";

/** The pages that a status is shown on: --surface of css/base.css. */
export const LIGHT = "#ffffff";
export const DARK = "#1a1f26";
/** What WCAG 2.2 asks of signs that are no text. */
export const ENOUGH = 3;
/** Below it two colours look the same to many. */
const ALIKE = 12;

/** 1 to 21. */
export function contrast(a, b) {
  const [light, dark] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (light + 0.05) / (dark + 0.05);
}

/** Whether two colours are hard to tell apart (distance in CIE Lab). */
export function alike(a, b) {
  const [p, q] = [lab(a), lab(b)];
  return Math.hypot(...p.map((value, i) => value - q[i])) < ALIKE;
}

function lab(colour) {
  const [r, g, b] = [1, 3, 5]
    .map((at) => parseInt(colour.slice(at, at + 2), 16) / 255)
    .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
  const bent = (value) => (value > 0.008856 ? Math.cbrt(value) : 7.787 * value + 16 / 116);
  const x = bent((0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.95047);
  const y = bent(0.2126 * r + 0.7152 * g + 0.0722 * b);
  const z = bent((0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.08883);
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}
