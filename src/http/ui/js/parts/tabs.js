// Tabs: one part of a screen at a time, each asked for when it is chosen.

import { freshId, h } from "../dom.js";
import { load, placeFor } from "./load.js";

/**
 * @param {string} label what the tabs are of
 * @param {Array<{id: string, title: string, show: () => (Node|Node[]|Promise<Node|Node[]>)}>} items
 * @param {string} chosen an id; another word is the first one
 * @param {(id: string) => void} onChoose
 */
export function tabs(label, items, chosen, onChoose) {
  const panel = h("div", { class: "tab-panel", role: "tabpanel", id: freshId("panel") });
  const buttons = items.map((item) =>
    h(
      "button",
      {
        type: "button",
        role: "tab",
        class: "tab",
        id: freshId("tab"),
        "aria-controls": panel.id,
        on: { click: () => choose(item, true) },
      },
      item.title,
    ),
  );
  const choose = (item, told) => {
    items.forEach(({ id }, i) => {
      buttons[i].setAttribute("aria-selected", String(id === item.id));
      buttons[i].tabIndex = id === item.id ? 0 : -1;
    });
    const tab = buttons[items.indexOf(item)];
    panel.setAttribute("aria-labelledby", tab.id);
    requestAnimationFrame(() => list.scrollTo({ left: tab.offsetLeft - (list.clientWidth - tab.offsetWidth) / 2 }));
    if (told) onChoose(item.id);
    // A place of its own for each choice: what comes late is for a tab that is gone.
    const place = placeFor();
    panel.replaceChildren(place);
    load(place, async () => item.show());
  };
  const walk = (event) => {
    const at = buttons.indexOf(document.activeElement);
    const next = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: items.length - 1 }[event.key];
    if (next === undefined || at < 0) return;
    event.preventDefault();
    const to = (next + items.length) % items.length;
    buttons[to].focus();
    choose(items[to], true);
  };
  const list = h("div", { class: "tabs", role: "tablist", "aria-label": label, on: { keydown: walk } }, buttons);
  choose(items.find(({ id }) => id === chosen) ?? items[0], false);
  return [list, panel];
}
