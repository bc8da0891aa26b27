// A list with filters and pages: what the lists of the administration have in common.

import { SignedOut } from "../../api.js";
import { h, replace } from "../../dom.js";
import { button } from "../../parts/button.js";
import { values } from "../../parts/form.js";
import { pager } from "../../parts/pager.js";
import { empty, failure, skeleton } from "../../parts/states.js";
import { note } from "../../router.js";
import { t } from "../../text.js";

const PER_PAGE = 25;
/** While somebody types. */
const PAUSE_MS = 300;

/**
 * @param {object} what
 * @param {AbortSignal} what.signal ends with the screen
 * @param {URLSearchParams} what.query of the address, where filters begin
 * @param {Node[]} what.filters fields; their names are those of the address and of what `ask` is given
 * @param {(said: object, signal: AbortSignal) => Promise<{items: any[], total: number, page: number, per_page: number}>} what.ask
 * @param {(items: any[]) => Node|Node[]} what.show
 * @param {() => Node} what.none shown where there is nothing at all
 * @param {object} [what.usual] filters that count as none, by name
 * @returns {{element: Node[], load: () => Promise<void>}}
 */
export function listing({ signal, query, filters, ask, show, none, usual = {} }) {
  const place = h("div", { class: "listing" }, skeleton());
  let page = Math.max(1, Number(query.get("page")) || 1);
  let latest = 0;
  let typing;
  let before;

  const load = async () => {
    const turn = (latest += 1);
    const said = values(form);
    place.setAttribute("aria-busy", "true");
    try {
      const answer = await ask({ ...said, page, per_page: PER_PAGE }, signal);
      if (turn !== latest || signal.aborted) return;
      if (answer.items.length === 0 && page > 1) return turnTo(1);
      replace(place, answer.total === 0 ? nothing(said) : [show(answer.items), pager(answer, turnTo)]);
    } catch (error) {
      if (error instanceof SignedOut) throw error;
      if (error.name === "AbortError" || turn !== latest) return;
      replace(place, failure(error, load));
    } finally {
      if (turn === latest) place.removeAttribute("aria-busy");
    }
  };
  const turnTo = async (to) => {
    page = to;
    note({ page: to > 1 ? to : "" });
    await load();
    form.scrollIntoView({ block: "start" });
  };
  const changed = () => {
    clearTimeout(typing);
    const said = JSON.stringify(values(form));
    // A field that is left tells the same again.
    if (said === before) return;
    before = said;
    page = 1;
    note({ ...values(form), page: "" });
    load();
  };
  const nothing = (said) => {
    const filtered = Object.entries(said).some(([name, value]) => value !== null && value !== (usual[name] ?? null));
    if (!filtered) return none();
    return empty(t("admin.list.nothingFits"), t("admin.list.nothingFitsText"), button(t("admin.list.clear"), clear));
  };
  const clear = () => {
    for (const element of form.elements) if (element.name) element.value = usual[element.name] ?? "";
    changed();
  };

  const form = h(
    "form",
    {
      class: "filters",
      role: "search",
      on: {
        submit: (event) => (event.preventDefault(), changed()),
        change: changed,
        input: ({ target }) => {
          if (!["search", "text", "number"].includes(target.type)) return;
          clearTimeout(typing);
          typing = setTimeout(changed, PAUSE_MS);
        },
      },
    },
    filters,
  );
  for (const element of form.elements)
    if (element.name && query.has(element.name)) element.value = query.get(element.name);
  signal.addEventListener("abort", () => clearTimeout(typing));
  before = JSON.stringify(values(form));
  load();
  return { element: [form, place], load };
}
