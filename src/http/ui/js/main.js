// Where the page begins: who is signed in decides what is shown.

import * as api from "./api.js";
import { fill } from "./dom.js";
import { forgetPictures } from "./parts/picture.js";
import { failure } from "./parts/states.js";
import { loadStyles } from "./parts/status.js";
import { applyTheme } from "./parts/theme.js";
import * as router from "./router.js";
import * as school from "./school.js";
import { language, t } from "./text.js";
import { resume } from "./uploads.js";
import { frame } from "./frame.js";
import { screens } from "./screens.js";
import { signInScreen } from "./screens/sign-in.js";
import { setViewer } from "./viewer.js";

const page = document.getElementById("page");

document.documentElement.lang = language;
applyTheme();
begin();

async function begin() {
  if (!api.isSignedIn()) return showSignIn();
  try {
    const [me] = await Promise.all([api.get("/auth/me"), loadStyles()]);
    setViewer(me);
    const { element, outlet } = frame(me, leave);
    fill(page, element);
    await resume(me);
    router.start(screens(me), outlet, signedOut);
  } catch (error) {
    if (error instanceof api.SignedOut) showSignIn();
    else fill(page, failure(error, begin));
  }
}

function showSignIn(message) {
  router.stop();
  document.querySelectorAll("dialog[open]").forEach((dialog) => dialog.close());
  forgetPictures();
  school.forget();
  document.title = `${t("signIn.title")} · rollcall`;
  fill(page, signInScreen(begin, message));
}

async function leave() {
  await api.signOut();
  location.hash = "";
  showSignIn();
}

function signedOut() {
  showSignIn(t("signIn.again"));
}

// A request anywhere may find that the sign-in is over.
window.addEventListener("unhandledrejection", (event) => {
  if (!(event.reason instanceof api.SignedOut)) return;
  event.preventDefault();
  signedOut();
});
