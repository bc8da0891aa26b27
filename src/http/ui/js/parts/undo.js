// What the person did last can be taken back, one step after the other.

import { say } from "./toast.js";
import { t } from "../text.js";
import { why } from "./states.js";

/** @param {string} text what was done @param {() => Promise} back takes it back */
export function done(text, back) {
  say(text, {
    action: t("action.undo"),
    press: async () => {
      try {
        await back();
        say(t("session.undone"));
      } catch (error) {
        say(why(error), { kind: "failure" });
      }
    },
  });
}
