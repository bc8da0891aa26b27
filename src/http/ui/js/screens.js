// All screens: their addresses, and the module of each, which is loaded when it is first shown.

import { bringTexts } from "./text.js";

const everybody = [
  ["/", () => import("./screens/today.js")],
  ["/take", () => import("./screens/take.js")],
  ["/sessions", () => import("./screens/sessions.js")],
  ["/sessions/:session", () => import("./screens/session.js")],
  ["/classes", () => import("./screens/classes.js")],
  ["/classes/:class", () => import("./screens/class.js")],
  ["/students/:student", () => import("./screens/student.js")],
  ["/students/:student/enrol", () => import("./screens/enrol.js")],
  ["/dashboard", () => import("./screens/dashboard.js")],
  ["/account", () => import("./screens/account.js")],
];

/** A screen of the administration, with what it says. */
const administration = (load) => async () => {
  const [module] = await Promise.all([load(), bringTexts("admin")]);
  return module;
};

const administrators = [
  ["/admin", administration(() => import("./screens/admin.js"))],
  ["/admin/users", administration(() => import("./screens/admin-users.js"))],
  ["/admin/tokens", administration(() => import("./screens/admin-tokens.js"))],
  ["/admin/jobs", administration(() => import("./screens/admin-jobs.js"))],
  ["/admin/system", administration(() => import("./screens/admin-system.js"))],
  ["/admin/audit", administration(() => import("./screens/admin-audit.js"))],
  ["/admin/roster", administration(() => import("./screens/admin-roster.js"))],
  ["/admin/settings", administration(() => import("./screens/admin-settings.js"))],
];

/** Brings what taking attendance needs, before there may be no connection. */
export const bringAlong = () => Promise.allSettled(everybody.slice(0, 4).map(([, load]) => load()));

/** Those that this person may see. */
export const screens = (me) => (me.role === "admin" ? [...everybody, ...administrators] : everybody);
