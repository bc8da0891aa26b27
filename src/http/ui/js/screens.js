// All screens: their addresses, and the module of each, which is loaded when it is first shown.

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

const administrators = [
  ["/admin", () => import("./screens/admin.js")],
  ["/admin/users", () => import("./screens/admin-users.js")],
  ["/admin/tokens", () => import("./screens/admin-tokens.js")],
  ["/admin/jobs", () => import("./screens/admin-jobs.js")],
  ["/admin/system", () => import("./screens/admin-system.js")],
  ["/admin/audit", () => import("./screens/admin-audit.js")],
  ["/admin/roster", () => import("./screens/admin-roster.js")],
  ["/admin/settings", () => import("./screens/admin-settings.js")],
];

/** Those that this person may see. */
export const screens = (me) => (me.role === "admin" ? [...everybody, ...administrators] : everybody);
