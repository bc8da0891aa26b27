// Which screen is shown: the part of the address after `#`, such as `#/sessions/12?photo=3`.

import { fill, h } from "./dom.js";
import { closeAll } from "./parts/dialog.js";
import { failure, loading } from "./parts/states.js";
import { SignedOut, Unreachable } from "./api.js";
import { t } from "./text.js";

/** Before a screen says that it is loading: quick answers do not flicker. */
const PATIENCE_MS = 150;

let routes = [];
let outlet = null;
let signedOut = () => {};
let current = new AbortController();

/**
 * @param {Array<[string, () => Promise<{show: Function}>]>} table patterns such as `/sessions/:id` and the module that shows it
 * @param {Element} element where screens are shown
 * @param {() => void} onSignedOut called when a screen finds that nobody is signed in
 */
export function start(table, element, onSignedOut) {
  routes = table.map(([pattern, load]) => ({ pattern, parts: pattern.split("/"), load }));
  outlet = element;
  signedOut = onSignedOut;
  window.addEventListener("hashchange", showOther);
  showCurrent();
}

export function stop() {
  window.removeEventListener("hashchange", showOther);
  current.abort();
}

/** The address of a screen, for links. */
export const to = (path, query = {}) => {
  const said = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== "");
  return `#${path}${said.length > 0 ? `?${new URLSearchParams(said)}` : ""}`;
};

export function go(path, query) {
  const address = to(path, query);
  if (location.hash === address) showCurrent();
  else location.hash = address;
}

/** Changes the query of the address without showing the screen anew. */
export function note(query) {
  const { path, query: before } = place();
  history.replaceState(null, "", to(path, { ...Object.fromEntries(before), ...query }));
}

/** Shows the screen anew, as after a change of what it shows. */
export const refresh = () => showCurrent();

export function place() {
  const [path, query] = location.hash.slice(1).split("?");
  return { path: path || "/", query: new URLSearchParams(query ?? "") };
}

function match(path) {
  const parts = path.split("/");
  for (const route of routes) {
    if (route.parts.length !== parts.length) continue;
    const params = {};
    const fits = route.parts.every((part, i) => {
      if (!part.startsWith(":")) return part === parts[i];
      params[part.slice(1)] = decodeURIComponent(parts[i]);
      return parts[i] !== "";
    });
    if (fits) return { route, params };
  }
  return null;
}

/** What is open belongs to the screen that is left. */
function showOther() {
  closeAll();
  showCurrent();
}

async function showCurrent() {
  current.abort();
  current = new AbortController();
  const { signal } = current;
  const { path, query } = place();
  const found = match(path);
  window.dispatchEvent(new CustomEvent("place", { detail: { path } }));
  if (found === null) return put(failure(new Error(t("state.noSuchScreen")), () => go("/")), t("state.notFound"));
  const late = setTimeout(() => signal.aborted || fill(outlet, loading()), PATIENCE_MS);
  try {
    const module = await found.route.load().catch((error) => {
      throw new Unreachable(error.message);
    });
    const screen = await module.show({ params: found.params, query, signal });
    if (!signal.aborted) put(screen.body, screen.title);
  } catch (error) {
    if (signal.aborted) return;
    if (error instanceof SignedOut) signedOut();
    else put(failure(error, refresh), t("state.failed"));
  } finally {
    clearTimeout(late);
  }
}

/** Screen readers hear the new screen's name; the eye starts at its top. */
function put(body, title) {
  document.title = `${title} · rollcall`;
  fill(outlet, body);
  const heading = outlet.querySelector("h1") ?? outlet.insertBefore(h("h1", { class: "visually-hidden" }, title), outlet.firstChild);
  heading.setAttribute("tabindex", "-1");
  heading.focus({ preventScroll: true });
  window.scrollTo(0, 0);
}
