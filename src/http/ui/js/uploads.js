// Photos on their way to the service. They are kept in the browser's database until the service has them, so that bad Wi-Fi, a
// closed tab or an empty battery loses none; the session that they are for may be made later, too.

import * as api from "./api.js";

const DATABASE = "rollcall";
const STORE = "photos";
const FIRST_PAUSE_MS = 2000;
const LONGEST_PAUSE_MS = 60_000;
/** One tab sends at a time, and tells the others. */
const TURN = "rollcall.uploads";

/**
 * A photo that waits: `{id, owner, name, blob, session, wish}` is kept; `session` is null as long as the session is only wished
 * for: `wish` is `{key, body}` of the request that makes it. `state` (waiting, sending, refused), `share` (0 to 1), `error`
 * and `tries` live as long as the tab.
 */
let queue = [];
/** Whose photos are sent: a device may have several people. */
let owner = null;
let sender = null;
let pause = FIRST_PAUSE_MS;
/** Ends what is under way when the person leaves. */
let visit = new AbortController();
/** Ends a pause early. */
let waking = new AbortController();
let lastMade = 0;
/** Sessions that are being made, by the key of their wish. */
const making = new Map();
const listeners = new Set();
const others = "BroadcastChannel" in window ? new BroadcastChannel(TURN) : null;
others?.addEventListener("message", () => owner !== null && takeOver());

/** Calls back whenever something changes. Gives a function that ends it. */
export function onUploads(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

const tell = () => listeners.forEach((listener) => listener());

/** Photos that are not sent, of one session or of all. */
export const waiting = (session) => queue.filter((photo) => session === undefined || photo.session === session);

/** Photos whose session is not made yet, by the request that makes it. */
export function wished() {
  const wishes = new Map();
  for (const photo of queue.filter((photo) => photo.session === null))
    wishes.set(photo.wish.key, [...(wishes.get(photo.wish.key) ?? []), photo]);
  return [...wishes.values()].map((photos) => ({ wish: photos[0].wish, photos, error: photos[0].error }));
}

/** Takes photos of a session over; from here on they are safe. */
export const add = (session, files) => keepAll(files, { session, wish: null });

/**
 * Takes photos of a session over that is yet to be made.
 *
 * @param {{key: string, body: object}} wish what `POST /sessions` is asked for, and the key that makes it only one
 * @returns {Promise<object|null>} the session, or null when there is no connection: it is made later
 */
export async function addNew(wish, files) {
  const photos = await keepAll(files, { session: null, wish });
  try {
    return await makeSession(wish);
  } catch (error) {
    if (passes(error)) return null;
    // It will never be made; the photos are still on the screen.
    for (const photo of photos) await drop(photo);
    throw error;
  }
}

async function keepAll(files, whereTo) {
  const added = [];
  try {
    for (const file of files) {
      const photo = { ...whereTo, owner, name: file.name || "photo.jpg", blob: file };
      photo.id = await kept((store) => store.add({ ...photo })).catch(inMemory);
      added.push(fresh(photo));
      queue.push(added.at(-1));
    }
  } finally {
    tell();
    others?.postMessage("added");
    work();
  }
  return added;
}

/** Where the browser keeps nothing (no room, or it is not allowed), photos live as long as the tab. */
const inMemory = () => {
  lastMade += 1;
  return `memory-${lastMade}`;
};

const isInMemory = (photo) => typeof photo.id === "string";

const fresh = (photo) => ({ ...photo, state: "waiting", share: 0, error: null, tries: 0 });

/** Goes on with what an earlier visit of this person left. */
export async function resume(me) {
  visit = new AbortController();
  owner = me.id;
  queue = [];
  await takeOver();
  // The browser is asked not to clear what waits when it wants room.
  if (queue.length > 0) navigator.storage?.persist?.().catch(() => {});
}

/** The person leaves: what is kept stays kept. */
export function stop() {
  owner = null;
  queue = [];
  visit.abort();
  tell();
}

/** What is kept may have been sent, or added, by another tab. */
async function takeOver() {
  const person = owner;
  const photos = await kept((store) => store.getAll()).catch(() => []);
  if (person !== owner) return;
  const known = new Map(queue.map((photo) => [photo.id, photo]));
  const mine = photos.filter((photo) => photo.owner === owner);
  const now = mine.map((photo) => Object.assign(known.get(photo.id) ?? fresh(photo), { session: photo.session ?? null }));
  queue = [...now, ...queue.filter(isInMemory)];
  tell();
  work();
}

/** Tries one that was refused again. */
export function again(photo) {
  photo.state = "waiting";
  photo.error = null;
  tell();
  work();
}

export async function drop(photo) {
  queue = queue.filter((other) => other !== photo);
  if (!isInMemory(photo)) await kept((store) => store.delete(photo.id));
  others?.postMessage("dropped");
  tell();
}

window.addEventListener("online", () => waking.abort());

/** The one that was tried least: one that fails each time does not hold up the others. */
const next = () =>
  queue.filter((photo) => photo.state === "waiting").sort((one, other) => one.tries - other.tries)[0];

/** Sends one after the other: a phone's connection is not faster for several at once. */
function work() {
  waking.abort();
  if (sender !== null || next() === undefined) return;
  const { signal } = visit;
  const send = async () => {
    for (let photo; !signal.aborted && (photo = next()); ) await sendOne(photo, signal);
  };
  sender = inTurn(send, signal)
    // The person had gone while another tab was sending.
    .catch((error) => {
      if (error.name !== "AbortError") throw error;
    })
    .finally(() => {
      sender = null;
      if (owner !== null && next() !== undefined && !signal.aborted) work();
    });
}

const inTurn = async (send, signal) => {
  if (!navigator.locks) return send();
  return navigator.locks.request(TURN, { signal }, async () => {
    // Whatever the other tab has sent is gone by now.
    await forgetSent();
    await send();
  });
};

async function forgetSent() {
  const left = await kept((store) => store.getAllKeys()).catch(() => null);
  if (left !== null) queue = queue.filter((photo) => isInMemory(photo) || left.includes(photo.id));
}

async function sendOne(photo, signal) {
  photo.state = "sending";
  photo.share = 0;
  tell();
  try {
    if (photo.session === null) await makeSession(photo.wish);
    const form = new FormData();
    form.append("photo", photo.blob, photo.name);
    const progress = (share) => {
      photo.share = share;
      tell();
    };
    // The same photo is taken once however often it comes, so each try is a request of its own.
    const answer = await api.upload(`/sessions/${photo.session}/photos`, form, { key: api.freshKey(), progress, signal });
    const refused = answer.photos.find((item) => item.error);
    if (refused) refuse(photo, new api.Problem(422, refused.error));
    else await drop(photo);
    pause = FIRST_PAUSE_MS;
  } catch (error) {
    if (signal.aborted) return;
    photo.state = "waiting";
    if (error instanceof api.SignedOut) {
      stop();
      throw error;
    }
    if (!passes(error)) return refuse(photo, error);
    photo.error = error;
    photo.tries += 1;
    tell();
    await rest((error.retryAfterSeconds ?? 0) * 1000, signal);
  }
}

/** Whether the same may go well later. */
const passes = (error) =>
  error instanceof api.Unreachable || error.status === 429 || error.status >= 500 || error.code === "IDEMPOTENCY_CONFLICT";

/** Makes the session that photos wait for, once. */
function makeSession(wish) {
  if (!making.has(wish.key)) making.set(wish.key, make(wish).finally(() => making.delete(wish.key)));
  return making.get(wish.key);
}

async function make({ key, body }) {
  const session = await api.post("/sessions", body, { key });
  for (const photo of queue.filter((photo) => photo.wish?.key === key)) {
    photo.session = session.id;
    if (!isInMemory(photo)) await kept((store) => noteSession(store, photo.id, session.id));
  }
  others?.postMessage("made");
  tell();
  return session;
}

/** Of a photo that is still kept. */
function noteSession(store, id, session) {
  const found = store.get(id);
  found.onsuccess = () => found.result && store.put({ ...found.result, session });
  return found;
}

/** The service has understood it and does not want it: sending it again would not help. */
function refuse(photo, error) {
  photo.state = "refused";
  photo.error = error;
  tell();
}

/** Until it is worth another try, or the network is back. */
async function rest(asked, signal) {
  waking = new AbortController();
  await api.sleep(Math.max(asked, pause), AbortSignal.any ? AbortSignal.any([waking.signal, signal]) : waking.signal);
  pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
}

let opened = null;

function database() {
  opened ??= new Promise((done, fail) => {
    const request = indexedDB.open(DATABASE, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: "id", autoIncrement: true });
    request.onsuccess = () => done(request.result);
    request.onerror = () => fail(request.error);
  }).catch((error) => {
    opened = null;
    throw error;
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
