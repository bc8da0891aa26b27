// What stands around every screen: the name, the ways to go, photos that still wait to be sent.

import { fill, h, hidden } from "./dom.js";
import { button } from "./parts/button.js";
import { icon } from "./parts/icon.js";
import { applyTheme, onTheme, theme } from "./parts/theme.js";
import { hush } from "./parts/toast.js";
import { onUploads, waiting } from "./uploads.js";
import { t } from "./text.js";

const PLACES = [
  ["#/", "home", "nav.today", /^\/(take)?$/],
  ["#/sessions", "history", "nav.sessions", /^\/sessions/],
  ["#/classes", "people", "nav.classes", /^\/(classes|students)/],
  ["#/dashboard", "chart", "nav.dashboard", /^\/dashboard/],
];
const ADMIN = ["#/admin", "gear", "nav.admin", /^\/admin/];

/** @param {AbortSignal} signal ends what it listens to @returns {{element: Node[], outlet: Element}} */
export function frame(me, leave, signal) {
  const outlet = h("main", { id: "main", class: "main" });
  const places = me.role === "admin" ? [...PLACES, ADMIN] : PLACES;
  const links = places.map(([href, drawing, key, belongs]) => ({
    belongs,
    link: h("a", { href, class: "nav-link" }, icon(drawing), h("span", {}, t(key))),
  }));
  const mark = (path) => {
    for (const { link, belongs } of links) {
      if (belongs.test(path)) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
  };
  signal.addEventListener("abort", hush);
  window.addEventListener("place", (event) => mark(event.detail.path), { signal });
  const skip = h("a", { class: "skip", href: "#main", on: { click: (event) => skipTo(event, outlet) } }, t("nav.skip"));
  return {
    outlet,
    element: [
      skip,
      h(
        "header",
        { class: "bar" },
        h("a", { class: "brand", href: "#/" }, h("img", { src: "/ui/icon.svg", alt: "", width: 28, height: 28 }), h("span", {}, "rollcall")),
        h("nav", { class: "nav", "aria-label": t("nav.label") }, links.map(({ link }) => link)),
        h("div", { class: "bar-end" }, sending(signal), themeButton(signal), account(me), button("", leave, { icon: "out", kind: "plain", label: t("nav.signOut") })),
      ),
      outlet,
    ],
  };
}

function skipTo(event, outlet) {
  // The part after `#` names a screen here.
  event.preventDefault();
  outlet.querySelector("h1")?.focus();
}

const account = (me) => h("a", { class: "bar-name", href: "#/account", title: me.name }, icon("face"), h("span", {}, me.name));

function themeButton(signal) {
  const next = { system: "dark", dark: "light", light: "system" };
  const press = () => applyTheme(next[theme()]);
  const element = button("", press, { kind: "plain", icon: "sun", label: "" });
  const show = () => {
    fill(element, icon(theme() === "dark" ? "moon" : "sun"));
    element.setAttribute("aria-label", t(`theme.${theme()}`));
    element.title = t(`theme.${theme()}`);
  };
  onTheme(show, signal);
  show();
  return element;
}

/** Photos that are not sent yet, wherever the person is in the page. */
function sending(signal) {
  const number = h("span", { class: "sending-count", "aria-hidden": "true" });
  const text = h("span", { class: "sending-text" });
  const link = h("a", { class: "sending" }, icon("upload"), number, text);
  const spoken = hidden("");
  spoken.setAttribute("role", "status");
  let told = 0;
  const show = () => {
    const open = waiting();
    link.hidden = open.length === 0;
    if (open.length > 0) link.href = `#/sessions/${open[0].session}`;
    // A photo on its way tells how far it is many times a second.
    if (open.length === told) return;
    told = open.length;
    number.textContent = String(told);
    text.textContent = t("upload.waiting", { count: told });
    spoken.textContent = told > 0 ? text.textContent : t("upload.none");
  };
  signal.addEventListener("abort", onUploads(show));
  show();
  return [link, spoken];
}
