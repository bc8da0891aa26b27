// English. Each part of the page has its own file; a key such as `take.send` is `send` of `take`.

import admin from "./admin.js";
import attendance from "./attendance.js";
import common from "./common.js";
import school from "./school.js";

export default { ...common, ...attendance, ...school, ...admin };
