// What stands around every screen: the name, the ways to go, photos that still wait to be sent.

import { fill, h } from "./dom.js";
import { button } from "./parts/button.js";
import { icon } from "./parts/icon.js";
import { applyTheme, onTheme, theme } from "./parts/theme.js";
import { onUploads, waiting } from "./uploads.js";
import { t } from "./text.js";

const PLACES = [
  ["#/", "home", "nav.today", /^\/(take)?$/],
  ["#/sessions", "history", "nav.sessions", /^\/sessions/],
  ["#/classes", "people", "nav.classes", /^\/(classes|students)/],
  ["#/dashboard", "chart", "nav.dashboard", /^\/dashboard/],
];
const ADMIN = ["#/admin", "gear", "nav.admin", /^\/admin/];

/** @returns {{element: Node[], outlet: Element}} */
export function frame(me, leave) {
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
  window.addEventListener("place", (event) => mark(event.detail.path));
  const skip = h("a", { class: "skip", href: "#main", on: { click: (event) => skipTo(event, outlet) } }, t("nav.skip"));
  return {
    outlet,
    element: [
      skip,
      h(
        "header",
        { class: "bar" },
        h("a", { class: "brand", href: "#/" }, h("img", { src: "/ui/icon.svg", alt: "", width: 28, height: 28 }), "rollcall"),
        h("nav", { class: "nav", "aria-label": t("nav.label") }, links.map(({ link }) => link)),
        h("div", { class: "bar-end" }, sending(), themeButton(), account(me), button("", leave, { icon: "out", kind: "plain", label: t("nav.signOut") })),
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

const account = (me) => h("a", { class: "bar-name", href: "#/account" }, me.name);

function themeButton() {
  const next = { system: "dark", dark: "light", light: "system" };
  const press = () => applyTheme(next[theme()]);
  const element = button("", press, { kind: "plain", icon: "sun", label: "" });
  const show = () => {
    fill(element, icon(theme() === "dark" ? "moon" : "sun"));
    element.setAttribute("aria-label", t(`theme.${theme()}`));
    element.title = t(`theme.${theme()}`);
  };
  onTheme(show);
  show();
  return element;
}

/** Photos that are not sent yet, wherever the person is in the page. */
function sending() {
  const element = h("a", { class: "sending", role: "status" });
  const show = () => {
    const open = waiting();
    element.hidden = open.length === 0;
    if (open.length > 0) element.href = `#/sessions/${open[0].session}`;
    fill(element, icon("upload"), h("span", { class: "sending-count", "aria-hidden": "true" }, open.length), h("span", {}, t("upload.waiting", { count: open.length })));
  };
  onUploads(show);
  show();
  return element;
}
