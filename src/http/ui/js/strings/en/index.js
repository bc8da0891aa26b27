// English. Each part of the page has its own file; a key such as `take.send` is `send` of `take`.

import attendance from "./attendance.js";
import common from "./common.js";
import school from "./school.js";

export const everywhere = { ...common, ...attendance, ...school };

/** Loaded with the first screen that needs them. */
export const later = { admin: () => import("./admin.js") };
