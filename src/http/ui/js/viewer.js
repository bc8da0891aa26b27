// Who looks at the page, and what they may do. The service decides; the page only leaves out what it would refuse.

let viewer = null;
let goAway = null;

/** @param {() => Promise<void>} leaving what signs them out */
export const setViewer = (me, leaving) => {
  viewer = me;
  goAway = leaving;
};

/** Signs out, after a question where photos wait. */
export const leave = () => goAway();

export const me = () => viewer;
export const isAdmin = () => viewer.role === "admin";
/** Takes attendance and corrects it. */
export const mayRecord = () => viewer.role === "admin" || viewer.role === "teacher";
