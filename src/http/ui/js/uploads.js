// Photos on their way to the service. They are kept in the browser's database until the service has them, so that bad Wi-Fi, a
// closed tab or an empty battery loses none.

import * as api from "./api.js";

const DATABASE = "rollcall";
const STORE = "photos";
const FIRST_PAUSE_MS = 2000;
const LONGEST_PAUSE_MS = 60_000;

/**
 * A photo that waits: `{id, session, owner, name, blob, key}` is kept; `state` (waiting, sending, refused), `share` (0 to 1),
 * `error` and `tries` live as long as the tab.
 */
let queue = [];
/** Whose photos are sent: a device may have several people. */
let owner = null;
let sender = null;
let pause = FIRST_PAUSE_MS;
let wake = () => {};
const listeners = new Set();

/** Calls back whenever something changes. Gives a function that ends it. */
export function onUploads(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

const tell = () => listeners.forEach((listener) => listener());

/** Photos that are not sent, of one session or of all. */
export const waiting = (session) => queue.filter((photo) => session === undefined || photo.session === session);

/** Takes photos of a session over; from here on they are safe. */
export async function add(session, files) {
  for (const file of files) {
    const photo = { session, owner, name: file.name || "photo.jpg", blob: file, key: api.freshKey() };
    photo.id = await kept((store) => store.add({ ...photo }));
    queue.push({ ...photo, state: "waiting", share: 0, error: null, tries: 0 });
  }
  tell();
  work();
}

/** Goes on with what an earlier visit of this person left. */
export async function resume(me) {
  owner = me.id;
  const photos = await kept((store) => store.getAll());
  queue = photos
    .filter((photo) => photo.owner === owner)
    .map((photo) => ({ ...photo, state: "waiting", share: 0, error: null, tries: 0 }));
  tell();
  work();
}

/** Tries one that was refused again. */
export function again(photo) {
  photo.state = "waiting";
  photo.error = null;
  photo.key = api.freshKey();
  tell();
  work();
}

export async function drop(photo) {
  queue = queue.filter((other) => other !== photo);
  await kept((store) => store.delete(photo.id));
  tell();
}

window.addEventListener("online", () => wake());

/** Sends one after the other: a phone's connection is not faster for several at once. */
async function work() {
  if (sender !== null) return wake();
  sender = (async () => {
    for (let next; (next = queue.find((photo) => photo.state === "waiting")); ) await sendOne(next);
  })();
  try {
    await sender;
  } finally {
    sender = null;
  }
}

async function sendOne(photo) {
  photo.state = "sending";
  photo.share = 0;
  tell();
  const form = new FormData();
  form.append("photo", photo.blob, photo.name);
  try {
    const progress = (share) => {
      photo.share = share;
      tell();
    };
    const answer = await api.upload(`/sessions/${photo.session}/photos`, form, { key: photo.key, progress });
    const refused = answer.photos.find((item) => item.error);
    if (refused) refuse(photo, new api.Problem(422, refused.error));
    else await drop(photo);
    pause = FIRST_PAUSE_MS;
  } catch (error) {
    if (error instanceof api.SignedOut) {
      photo.state = "refused";
      photo.error = error;
      return;
    }
    const passes = error instanceof api.Unreachable || error.status === 429 || error.status >= 500;
    if (!passes) return refuse(photo, error);
    photo.state = "waiting";
    photo.error = error;
    photo.tries += 1;
    tell();
    await rest((error.retryAfterSeconds ?? 0) * 1000);
  }
}

/** The service has understood it and does not want it: sending it again would not help. */
function refuse(photo, error) {
  photo.state = "refused";
  photo.error = error;
  tell();
}

/** Until it is worth another try, or the network is back. */
async function rest(asked) {
  await new Promise((done) => {
    wake = done;
    setTimeout(done, Math.max(asked, pause));
  });
  wake = () => {};
  pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
}

let opened = null;

function database() {
  opened ??= new Promise((done, fail) => {
    const request = indexedDB.open(DATABASE, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: "id", autoIncrement: true });
    request.onsuccess = () => done(request.result);
    request.onerror = () => fail(request.error);
  });
  return opened;
}

/** One action on what is kept; done when it is on the disk. */
async function kept(act) {
  const transaction = (await database()).transaction(STORE, "readwrite");
  const request = act(transaction.objectStore(STORE));
  return new Promise((done, fail) => {
    transaction.oncomplete = () => done(request.result);
    transaction.onerror = () => fail(transaction.error);
    transaction.onabort = () => fail(transaction.error);
  });
}
