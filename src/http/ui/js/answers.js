// Answers that are asked for once and good for a few minutes: others change the school too.

/** An answer is good so long, */
const GOOD_MS = 5 * 60_000;
/** and less when nobody has looked at the page for a while. */
const AWAY_MS = 60_000;

export class Answers {
  kept = new Map();
  hiddenSince = null;

  constructor() {
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) this.hiddenSince = Date.now();
      else if (Date.now() - this.hiddenSince > AWAY_MS) this.forget();
    });
  }

  /** @param {() => Promise} ask what is asked where no good answer is known; one that failed is not kept */
  once(key, ask) {
    const known = this.kept.get(key);
    if (known && Date.now() - known.at < GOOD_MS) return known.answer;
    const answer = ask();
    this.kept.set(key, { answer, at: Date.now() });
    answer.catch(() => this.kept.get(key)?.answer === answer && this.forget(key));
    return answer;
  }

  /** One of them, or all. */
  forget(key) {
    if (key === undefined) this.kept.clear();
    else this.kept.delete(key);
  }
}
