// Work that goes on by itself: what failed and why, what runs and how far it is, what waits.

import * as api from "../api.js";
import { fill, h, replace } from "../dom.js";
import { button } from "../parts/button.js";
import { field, segments, select } from "../parts/form.js";
import { pager } from "../parts/pager.js";
import { empty, failure, skeleton, why } from "../parts/states.js";
import { say } from "../parts/toast.js";
import { note } from "../router.js";
import * as school from "../school.js";
import { number, t } from "../text.js";
import { head } from "./admin/head.js";
import { JobRow } from "./admin/job-row.js";

const STATES = ["failed", "running", "queued", "done", "cancelled"];
const KINDS = ["photo", "enrolment", "export", "learn"];
const PER_PAGE = 20;
/** How often the list is asked for while something goes on, and while nothing does. */
const BUSY_MS = 2500;
const QUIET_MS = 15_000;

export async function show({ query, signal }) {
  const screen = new JobList(signal, query);
  await screen.begin();
  const title = t("admin.jobs.title");
  return {
    title,
    body: [
      head(title),
      h("p", { class: "quiet admin-intro" }, `${t("admin.jobs.intro")} ${t("admin.jobs.live")}`),
      screen.element,
    ],
  };
}

class JobList {
  rows = new Map();
  counts = {};
  page = 1;
  turn = 0;
  timer = null;

  constructor(signal, query) {
    this.signal = signal;
    this.state = [...STATES, "all"].includes(query.get("state")) ? query.get("state") : null;
    this.kind = select(
      "kind",
      [["", t("admin.list.all")], ...KINDS.map((kind) => [kind, t(`admin.jobs.kind.${kind}`)])],
      query.get("kind") ?? "",
    );
    this.kind.addEventListener("change", () => this.choose(this.state));
    this.tabs = h("div", { class: "job-tabs" });
    this.place = h("div", { class: "listing" }, skeleton());
    this.element = [
      h("div", { class: "filters job-filters" }, this.tabs, field(t("admin.jobs.ofKind"), this.kind)),
      this.place,
    ];
    signal.addEventListener("abort", () => clearTimeout(this.timer));
  }

  async begin() {
    this.classes = await school.classes();
    await this.count();
    // What failed comes first; otherwise what goes on.
    this.state ??= STATES.slice(0, 3).find((state) => this.counts[state] > 0) ?? "all";
    this.showTabs();
    this.load();
  }

  async count() {
    const totals = await Promise.all(
      STATES.map((state) =>
        api.get("/jobs", { state, kind: this.kind.value, per_page: 1 }, this.signal).then(({ total }) => total),
      ),
    );
    STATES.forEach((state, i) => (this.counts[state] = totals[i]));
    this.counts.all = totals.reduce((sum, total) => sum + total, 0);
  }

  showTabs() {
    const options = [...STATES, "all"].map((state) => [
      state,
      h("span", {}, t(`admin.jobs.tab.${state}`), " ", h("span", { class: "job-count" }, number(this.counts[state]))),
    ]);
    // While somebody uses them, only the numbers change.
    const shown = this.tabs.querySelectorAll(".job-count");
    if (shown.length > 0) options.forEach(([state], i) => (shown[i].textContent = number(this.counts[state])));
    else
      fill(
        this.tabs,
        segments(t("admin.jobs.which"), "state", options, this.state, (state) => this.choose(state)),
      );
  }

  choose(state) {
    this.state = state;
    this.page = 1;
    note({ state, kind: this.kind.value });
    this.rows.clear();
    fill(this.place, skeleton());
    return this.load();
  }

  turnTo(page) {
    this.page = page;
    return this.load().then(() => this.place.scrollIntoView({ block: "start" }));
  }

  /** Asks for what is shown, and again after a while. */
  load = async () => {
    clearTimeout(this.timer);
    const turn = (this.turn += 1);
    try {
      const state = this.state === "all" ? null : this.state;
      const asked = { state, kind: this.kind.value, page: this.page, per_page: PER_PAGE };
      const [answer] = await Promise.all([api.get("/jobs", asked, this.signal), this.count()]);
      if (turn !== this.turn || this.signal.aborted) return;
      if (answer.items.length === 0 && this.page > 1) {
        this.page = 1;
        return this.load();
      }
      this.showTabs();
      this.show(answer);
    } catch (error) {
      if (error.name === "AbortError" || turn !== this.turn) return;
      if (error instanceof api.SignedOut) throw error;
      // What is shown stays while the network is away; it is asked for again below.
      if (this.rows.size === 0) replace(this.place, failure(error, this.load));
    }
    const busy = this.counts.running > 0 || this.counts.queued > 0;
    this.timer = setTimeout(() => (document.hidden ? this.wait() : this.load()), busy ? BUSY_MS : QUIET_MS);
  };

  /** Nobody looks: nothing is asked for until somebody does. */
  wait() {
    document.addEventListener("visibilitychange", this.load, { once: true, signal: this.signal });
  }

  show(answer) {
    const { items } = answer;
    if (items.length === 0) {
      this.rows.clear();
      const text = this.state === "failed" ? t("admin.jobs.noneText.failed") : null;
      return replace(this.place, empty(t(`admin.jobs.none.${this.state}`), text));
    }
    const fresh = new Map(items.map((job) => [job.id, this.rows.get(job.id) ?? new JobRow(this.classes, this.load)]));
    items.forEach((job) => fresh.get(job.id).show(job));
    const same = fresh.size === this.rows.size && [...fresh.keys()].join() === [...this.rows.keys()].join();
    this.rows = fresh;
    // Rows that are there keep their place, and the focus in them.
    if (same && this.total === answer.total && this.place.querySelector(".list")) return;
    this.total = answer.total;
    replace(
      this.place,
      this.state === "failed" && items.length > 1 && h("p", { class: "job-all" }, this.retryAllButton(items)),
      h(
        "ul",
        { class: "list" },
        [...fresh.values()].map((row) => row.element),
      ),
      pager(answer, (page) => this.turnTo(page)),
    );
  }

  retryAllButton(items) {
    return button(
      t("admin.jobs.retryAll", { count: items.length }),
      async () => {
        const answers = await Promise.allSettled(items.map((job) => api.post(`/jobs/${job.id}/retry`)));
        const failed = answers.filter(({ status }) => status === "rejected");
        const done = answers.length - failed.length;
        if (done > 0) say(t("admin.jobs.retriedAll", { count: done }));
        if (failed.length > 0)
          say(t("admin.jobs.someNotRetried", { count: failed.length, why: why(failed[0].reason) }), {
            kind: "failure",
          });
        await this.load();
      },
      { icon: "refresh" },
    );
  }
}
