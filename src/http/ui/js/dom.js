// Elements without markup in strings: text that somebody typed is only ever text.

const SVG = "http://www.w3.org/2000/svg";

/**
 * Makes an HTML element.
 *
 * @param {string} tag
 * @param {object} [attributes] `on: {event: listener}`, `data: {name: value}` and `css: {property: value}` are sets of their own;
 *   a value of `true` is an attribute without a value, `false`, `null` and `undefined` are none.
 * @param {...(Node|string|number|Array|null|undefined|false)} children
 */
export function h(tag, attributes, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** Makes an SVG element. */
export function svg(tag, attributes, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

/** Puts children in the place of those that are there. */
export function fill(element, ...children) {
  element.replaceChildren(...flat(children));
  return element;
}

/**
 * Puts children in the place of those that are there. When what had the focus is gone, the element has it, and who uses the
 * keyboard goes on from there. Gives whether the focus was inside.
 */
export function replace(element, ...children) {
  const focused = document.activeElement;
  const held = element.contains(focused);
  fill(element, ...children);
  if (!held) return false;
  if (!element.contains(focused)) element.tabIndex = -1;
  (element.contains(focused) ? focused : element).focus({ preventScroll: true });
  return true;
}

/**
 * Puts children in the place of those that are there, and the focus where it was: on the control of the same place in the part
 * with the same `data-key`.
 */
export function refill(element, ...children) {
  const focused = document.activeElement;
  const held = element.contains(focused?.closest?.("[data-key]") ?? null);
  const again = sameControl(focused);
  fill(element, ...children);
  if (held) again(element)?.focus({ preventScroll: true });
  return element;
}

/** What finds a control again, below some root, after its part was made anew: at the same place in the part with the same `data-key`. */
function sameControl(control) {
  const part = control?.closest?.("[data-key]");
  if (!part) return () => null;
  const at = controls(part).indexOf(control);
  return (root) => {
    const anew = root.querySelector(`[data-key="${CSS.escape(part.dataset.key)}"]`);
    return anew && (controls(anew)[at] ?? controls(anew)[0]);
  };
}

/**
 * Remembers what has the focus. What it gives puts the focus back, when that is gone meanwhile: on the control of the same place in
 * the part with the same `data-key`, else on the name of the screen.
 */
export function rememberFocus() {
  const focused = document.activeElement;
  const again = sameControl(focused);
  return () => {
    if (focused?.isConnected || document.activeElement !== document.body) return;
    (again(document) ?? document.querySelector("main h1"))?.focus({ preventScroll: true });
  };
}

const controls = (part) => {
  const all = "a[href], button, input, select, textarea, summary";
  return [...(part.matches(all) ? [part] : []), ...part.querySelectorAll(all)];
};

/** Text that only screen readers read. */
export const hidden = (text) => h("span", { class: "visually-hidden" }, text);

/** An id that no other element of the page has, for labels and descriptions. */
export const freshId = ((next) => (prefix) => `${prefix}-${(next += 1)}`)(0);

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) set(element, name, value);
  element.append(...flat(children));
  return element;
}

function set(element, name, value) {
  if (value === false || value === null || value === undefined) return;
  if (name === "on") {
    for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
  } else if (name === "data") {
    Object.assign(element.dataset, value);
  } else if (name === "css") {
    // Through the object model: the policy of the page forbids style attributes.
    for (const [property, said] of Object.entries(value)) element.style.setProperty(property, said);
  } else {
    element.setAttribute(name, value === true ? "" : value);
  }
}

function flat(children) {
  return children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);
}
