// Where the page begins: who is signed in decides what is shown.

import * as api from "./api.js";
import { fill } from "./dom.js";
import { confirmed } from "./parts/dialog.js";
import { forgetPictures } from "./parts/picture.js";
import { failure } from "./parts/states.js";
import { loadStyles } from "./parts/status.js";
import { applyTheme } from "./parts/theme.js";
import * as router from "./router.js";
import * as school from "./school.js";
import { language, setTimeZone, t } from "./text.js";
import * as uploads from "./uploads.js";
import { frame } from "./frame.js";
import { bringAlong, screens } from "./screens.js";
import { signInScreen } from "./screens/sign-in.js";
import { setViewer } from "./viewer.js";

const page = document.getElementById("page");
/** What may be needed later does not hold up what is seen first. */
const AFTER_FIRST_SCREEN_MS = 1500;

document.documentElement.lang = language;
applyTheme();

/** Ends what belongs to one person's visit. */
let visit = new AbortController();
let isSigningIn = false;

async function begin() {
  if (!api.isSignedIn()) return showSignIn();
  isSigningIn = false;
  try {
    const [me] = await Promise.all([api.get("/auth/me"), loadStyles()]);
    api.belongTo(me.id);
    setTimeZone(me.time_zone);
    setViewer(me, leave);
    visit.abort();
    visit = new AbortController();
    const { element, outlet } = frame(me, leave, visit.signal);
    fill(page, element);
    await uploads.resume(me);
    router.start(screens(me), outlet, signedOut);
    setTimeout(bringAlong, AFTER_FIRST_SCREEN_MS);
  } catch (error) {
    if (error instanceof api.SignedOut) showSignIn();
    else fill(page, failure(error, begin));
  }
}

function showSignIn(message) {
  isSigningIn = true;
  visit.abort();
  router.stop();
  uploads.stop();
  document.querySelectorAll("dialog[open]").forEach((dialog) => dialog.close());
  forgetPictures();
  school.forget();
  document.title = `${t("signIn.title")} · rollcall`;
  fill(page, signInScreen(begin, message));
  page.querySelector("input")?.focus();
}

async function leave() {
  if (!(await mayLeave())) return;
  await api.signOut();
  location.hash = "";
  showSignIn();
}

/** Photos that wait stay on this device and are sent when the person is back here; nobody should learn that too late. */
async function mayLeave() {
  const count = uploads.waiting().length;
  if (count === 0) return true;
  return confirmed(t("upload.leave", { count }), t("upload.leaveText"), t("upload.leaveAnyway"));
}

function signedOut() {
  // Several requests may find it at once; what is typed already stays.
  if (!isSigningIn) showSignIn(t("signIn.again"));
}

// A request anywhere may find that the sign-in is over.
window.addEventListener("unhandledrejection", (event) => {
  if (!(event.reason instanceof api.SignedOut)) return;
  event.preventDefault();
  signedOut();
});

api.onSignedOutElsewhere(signedOut);
begin();
