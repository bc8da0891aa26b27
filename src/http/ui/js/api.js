// The public interface as the page uses it: who is signed in, requests, their errors, events.

const ROOT = "/api/v1";
const KEPT = "rollcall.sign-in";
/** A token is renewed so long before it ends. */
const EARLY_MS = 30_000;
/** An upload whose bytes do not move for so long is given up, and an answer that does not come. */
const STALLED_MS = 30_000;
const UNANSWERED_MS = 180_000;
/** The service says something on a stream at least every 15 seconds. */
const QUIET_MS = 45_000;

/** What the service refuses, with its stable code (RFC 9457). */
export class Problem extends Error {
  constructor(status, body) {
    super(body.detail ?? body.title ?? `HTTP ${status}`);
    this.status = status;
    this.code = body.code ?? "PROCESSING_ERROR";
    this.errors = body.errors ?? [];
    this.differences = body.differences ?? [];
    this.retryAfterSeconds = body.retry_after ?? null;
    this.requestId = body.request_id ?? null;
  }
}

/** Nobody answered: no network, or no server. */
export class Unreachable extends Error {}

/** Nobody is signed in (any more). */
export class SignedOut extends Error {}

// Who is signed in ------------------------------------------------------------------------------------------------------------

let tokens = kept();
let renewing = null;

/** Kept for this tab, or for this browser where the person asked for it. */
function kept() {
  const text = sessionStorage.getItem(KEPT) ?? localStorage.getItem(KEPT);
  return text === null ? null : JSON.parse(text);
}

function keep(grant, place) {
  tokens = {
    access: grant.access_token,
    refresh: grant.refresh_token,
    until: Date.now() + grant.expires_in * 1000,
    place,
    user: tokens?.user ?? null,
  };
  store();
}

const store = () => (tokens.place === "browser" ? localStorage : sessionStorage).setItem(KEPT, JSON.stringify(tokens));

/** Who it is that is signed in: another tab must not go on with tokens of somebody else. */
export function belongTo(user) {
  tokens.user = user;
  store();
}

/** Tells when the person has signed out in another tab, or somebody else has signed in there. */
export function onSignedOutElsewhere(hear) {
  window.addEventListener("storage", (event) => {
    if (event.key !== KEPT || event.storageArea !== localStorage || tokens?.place !== "browser") return;
    const other = event.newValue === null ? null : JSON.parse(event.newValue);
    if (other !== null && (other.user === null || other.user === tokens.user)) return;
    tokens = null;
    hear();
  });
}

function forget() {
  tokens = null;
  sessionStorage.removeItem(KEPT);
  localStorage.removeItem(KEPT);
}

export const isSignedIn = () => tokens !== null;

/** @param {boolean} stay whether the browser remembers it when the tab is closed */
export async function signIn(name, password, stay) {
  const grant = await answered(await plain("POST", "/auth/login", { json: { name, password } }));
  // Nothing of whoever was here before.
  forget();
  keep(grant, stay ? "browser" : "tab");
}

export async function signOut() {
  const refresh = tokens?.refresh;
  forget();
  // The person is signed out here whether or not the server hears of it.
  if (refresh) await plain("POST", "/auth/logout", { json: { refresh_token: refresh } }).catch(() => {});
}

/** This device stays signed in; every other one has to sign in again. */
export async function changePassword(old, fresh) {
  keep(await put("/auth/password", { old, new: fresh }), tokens.place);
}

/** An access token that is still good. Refresh tokens are good once, so tabs that share one take turns. */
async function access() {
  if (tokens === null) throw new SignedOut();
  if (Date.now() < tokens.until - EARLY_MS) return tokens.access;
  renewing ??= inTurn(renew).finally(() => {
    renewing = null;
  });
  await renewing;
  return tokens.access;
}

async function renew() {
  const other = kept();
  // Another tab was faster; or it has somebody else by now.
  if (other !== null && other.refresh !== tokens?.refresh) tokens = other.user === tokens?.user ? other : null;
  if (tokens !== null && Date.now() < tokens.until - EARLY_MS) return;
  if (tokens === null) throw new SignedOut();
  const response = await plain("POST", "/auth/refresh", { json: { refresh_token: tokens.refresh } });
  if (response.status === 401) {
    forget();
    throw new SignedOut();
  }
  keep(await answered(response), tokens.place);
}

/** One tab after the other; where the browser has no locks (without HTTPS) each for itself. */
const inTurn = (work) => (navigator.locks ? navigator.locks.request(KEPT, work) : work());

// Requests --------------------------------------------------------------------------------------------------------------------

/** A key that makes a repeated request harmless. (`crypto.randomUUID` is there with HTTPS only.) */
export function freshKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Reads JSON. `query` may hold nulls, which are left out. */
export const get = (path, query, signal) => request("GET", path, { query, signal });
/** Sends JSON; `options.key` makes a repeated request harmless, `options.version` refuses it when somebody else was faster. */
export const post = (path, json, options) => request("POST", path, { json, ...options });
export const put = (path, json, options) => request("PUT", path, { json, ...options });
export const patch = (path, json, options) => request("PATCH", path, { json, ...options });
export const remove = (path, options) => request("DELETE", path, options);
/** Sends a form with files. */
export const send = (path, form, options) => request(options?.method ?? "POST", path, { body: form, ...options });

/** How the service is; one that is not well answers too. */
export async function health(signal) {
  const response = await authorised("GET", "/health", { signal });
  const said = await response.clone().json().catch(() => null);
  return said?.status && (response.ok || response.status === 503) ? said : answered(response);
}

/** A file as a blob, with the name that the service gives it. */
export const file = async (path, query, signal) => asFile(await authorised("GET", path, { query, signal }));

/** Sends a form with files, and gets a file for it. */
export const sendForFile = async (path, form, { query, signal } = {}) =>
  asFile(await authorised("POST", path, { body: form, query, signal }));

async function asFile(response) {
  if (!response.ok) await answered(response);
  const said = /filename\*?=(?:UTF-8'')?"?([^";]+)"?/.exec(response.headers.get("content-disposition") ?? "");
  return { blob: await response.blob(), name: said ? decodeURIComponent(said[1]) : null };
}

/** All pages of a list, one after the other. */
export async function all(path, query = {}, signal) {
  const items = [];
  for (let page = 1; ; page += 1) {
    const answer = await get(path, { ...query, page, per_page: 100 }, signal);
    items.push(...answer.items);
    if (answer.total === undefined || items.length >= answer.total || answer.items.length === 0) return items;
  }
}

async function request(method, path, options = {}) {
  return answered(await authorised(method, path, options));
}

/** With the token; once more with a fresh one when the service does not take it. */
async function authorised(method, path, options = {}) {
  const response = await plain(method, path, options, await access());
  if (response.status !== 401 || tokens === null) return response;
  // A wrong password is no reason to ask again.
  const body = await response.clone().json().catch(() => null);
  if (body?.code === "INVALID_CREDENTIALS") return response;
  tokens.until = 0;
  return plain(method, path, options, await access());
}

async function plain(method, path, { query, json, body, signal, key, version, headers } = {}, token) {
  const all = new Headers(headers);
  if (token) all.set("authorization", `Bearer ${token}`);
  if (json !== undefined) all.set("content-type", "application/json");
  if (key) all.set("idempotency-key", key);
  if (version) all.set("if-match", version.startsWith('"') ? version : `"${version}"`);
  try {
    return await fetch(address(path, query), {
      method,
      headers: all,
      body: json === undefined ? body : JSON.stringify(json),
      signal,
      cache: "no-store",
      credentials: "omit",
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Unreachable(error.message);
  }
}

function address(path, query) {
  const said = Object.entries(query ?? {}).filter(([, value]) => value !== null && value !== undefined && value !== "");
  return ROOT + path + (said.length > 0 ? `?${new URLSearchParams(said)}` : "");
}

async function answered(response) {
  const isJson = (response.headers.get("content-type") ?? "").includes("json");
  const body = isJson ? await response.json() : null;
  if (response.ok) return body;
  if (response.status === 401 && body?.code === "UNAUTHENTICATED") {
    forget();
    throw new SignedOut();
  }
  throw new Problem(response.status, body ?? {});
}

// Uploads and events ----------------------------------------------------------------------------------------------------------

/**
 * Sends a form and tells how far it is: `fetch` cannot, so this is the older interface.
 *
 * @param {(share: number) => void} progress 0 to 1
 */
export async function upload(path, form, { key, progress, signal }) {
  const send = async () => sendForm(path, form, { key, progress, signal, token: await access() });
  let answer = await send();
  if (answer.status === 401) {
    tokens.until = 0;
    answer = await send();
  }
  if (answer.status === 401) {
    forget();
    throw new SignedOut();
  }
  if (answer.status >= 300) throw new Problem(answer.status, answer.body ?? {});
  // A page of some other server, such as that of a Wi-Fi that wants to be signed in to.
  if (answer.body === null) throw new Unreachable("the answer is not the service's");
  return answer.body;
}

function sendForm(path, form, { key, progress, signal, token }) {
  return new Promise((done, fail) => {
    const call = new XMLHttpRequest();
    let watch;
    const within = (time) => {
      clearTimeout(watch);
      watch = setTimeout(() => (fail(new Unreachable("no answer")), call.abort()), time);
    };
    call.open("POST", address(path));
    call.responseType = "json";
    call.setRequestHeader("authorization", `Bearer ${token}`);
    call.setRequestHeader("idempotency-key", key);
    call.upload.addEventListener("progress", (event) => {
      within(STALLED_MS);
      if (event.lengthComputable) progress(event.loaded / event.total);
    });
    call.upload.addEventListener("load", () => within(UNANSWERED_MS));
    call.addEventListener("load", () => done({ status: call.status, body: call.response }));
    call.addEventListener("error", () => fail(new Unreachable("the connection broke")));
    call.addEventListener("abort", () => fail(new DOMException("cancelled", "AbortError")));
    call.addEventListener("loadend", () => clearTimeout(watch));
    signal?.addEventListener("abort", () => call.abort());
    within(STALLED_MS);
    call.send(form);
  });
}

/**
 * Follows server-sent events until the signal, over broken connections. (`EventSource` cannot send a token.)
 *
 * @param {string} path
 * @param {(event: {id: number, kind: string, data: object}) => void} hear
 * @param {(connected: boolean) => void} [link] told when the connection comes and goes
 * @param {number} [after] the last event that is known
 */
export async function follow(path, hear, signal, link = () => {}, after = 0) {
  let pause = 1000;
  while (!signal.aborted) {
    const attempt = new AbortController();
    const end = () => attempt.abort();
    signal.addEventListener("abort", end);
    // A connection may be dead without anybody saying so, as after a phone has slept.
    let quiet;
    const heard = () => {
      clearTimeout(quiet);
      quiet = setTimeout(end, QUIET_MS);
    };
    heard();
    try {
      const response = await authorised("GET", path, { signal: attempt.signal, headers: { "last-event-id": String(after) } });
      if (response.status === 204) return;
      if (!response.ok) await answered(response);
      link(true);
      pause = 1000;
      for await (const event of events(response.body, heard)) {
        after = event.id;
        hear(event);
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof SignedOut) throw error;
      if (error instanceof Problem && error.status < 500 && error.status !== 429) throw error;
      link(false);
    } finally {
      clearTimeout(quiet);
      signal.removeEventListener("abort", end);
    }
    await sleep(pause, signal);
    pause = Math.min(pause * 2, 15_000);
  }
}

/** Until the time is over, the network is back, or the signal. */
export function sleep(time, signal) {
  return new Promise((done) => {
    const wake = () => {
      clearTimeout(timer);
      window.removeEventListener("online", wake);
      signal?.removeEventListener("abort", wake);
      done();
    };
    const timer = setTimeout(wake, time);
    window.addEventListener("online", wake);
    signal?.addEventListener("abort", wake);
  });
}

async function* events(body, heard) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    heard();
    text += value;
    const blocks = text.split("\n\n");
    text = blocks.pop();
    for (const block of blocks) {
      const data = block
        .split("\n")
        .filter((line) => line.startsWith("data:"))
        .map((line) => line.slice(5).trim())
        .join("\n");
      if (data) yield JSON.parse(data);
    }
  }
}
