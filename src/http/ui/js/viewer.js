// Who looks at the page, and what they may do. The service decides; the page only leaves out what it would refuse.

let viewer = null;

export const setViewer = (me) => {
  viewer = me;
};

export const me = () => viewer;
export const isAdmin = () => viewer.role === "admin";
/** Takes attendance and corrects it. */
export const mayRecord = () => viewer.role === "admin" || viewer.role === "teacher";
