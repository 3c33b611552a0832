// What every page of the console has: the stream and its state in words, requests to the server and
// their errors in words, and the banner of a new version.

import { connect } from "../../static/sse-client.js";
import { shortened } from "./words.js";

const API = new URL("../api", import.meta.url).pathname;
const LOGIN = new URL("../login", import.meta.url).pathname;
const MAX_NOTICES = 3;
const MAX_SHOWN = 300; // Characters of a version and of its changelog.

/** The stream of the page, shared with the other tabs. */
export const stream = connect({
  url: new URL("../../api/sse/stream", import.meta.url).href,
  tasksUrl: new URL("../api/tasks", import.meta.url).href,
});

/**
 * An error that the server has answered, or that there was no answer.
 *
 * `status` is the HTTP status, 0 without an answer. `details` has one entry for each fault of a
 * form, with `loc` and `msg`. `retryAfter` is the number of seconds after which the same request
 * may work; null: unknown.
 */
export class ServerError extends Error {
  constructor(status, message, details = [], retryAfter = null) {
    super(message);
    this.name = "ServerError";
    this.status = status;
    this.details = details;
    this.retryAfter = retryAfter;
  }
}

/**
 * Send a request to the console's API, and return the JSON of the answer; null if there is none.
 *
 * @param {string} method
 * @param {string} path the path below `/console/api`, such as "/tasks"
 * @param {any} [body] is sent as JSON
 * @throws {ServerError}
 */
export async function request(method, path, body) {
  const headers = body === undefined ? {} : { "Content-Type": "application/json" };
  const text = body === undefined ? undefined : JSON.stringify(body);
  const response = await fetch(API + path, { method, headers, body: text }).catch(() => null);
  if (response === null) {
    throw new ServerError(0, "The server does not answer. Check that it runs, and try again.");
  }
  if (response.status === 401) leaveForLogin();
  const answer = response.status === 204 ? null : await response.json().catch(() => null);
  if (response.ok) return answer;
  const error = answer?.error;
  const message = error?.message ?? error ?? `The server answered ${response.status}.`;
  const seconds = Number.parseInt(response.headers.get("Retry-After") ?? "", 10);
  const retryAfter = Number.isNaN(seconds) ? null : seconds;
  throw new ServerError(response.status, message, answer?.details, retryAfter);
}

/**
 * Make an element. Texts are inserted as text, never as HTML.
 *
 * @param {string} name
 * @param {Record<string, any>} [attributes] `onclick` and the like are listeners; true is an
 *   attribute without a value; false, null and undefined are left out
 * @param {...(Node | string)} children
 */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== false && value != null) made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

/** Show an error above the page's content, in words, until the user closes it. */
export function showError(error) {
  const area = document.querySelector("#notices");
  const later = error.retryAfter ? ` Try again in ${error.retryAfter} s.` : "";
  const text = `${error.message}${later}`;
  for (const shown of [...area.children]) if (shown.dataset.text === text) shown.remove();
  const notice = element("div", { class: "notice bad", "data-text": text });
  const close = element("button", { class: "button", type: "button" }, "Close");
  close.addEventListener("click", () => notice.remove());
  const details = (error.details ?? []).map(({ loc = [], msg }) =>
    element("li", { dir: "auto" }, loc.length ? `${loc.join(".")}: ${msg}` : msg),
  );
  const words = element("div", {}, element("p", { dir: "auto" }, text));
  if (details.length) words.append(element("ul", {}, ...details));
  notice.append(words, close);
  while (area.children.length >= MAX_NOTICES) area.firstChild.remove();
  area.append(notice);
}

/** Remove the errors that `showError` has shown. */
export function clearErrors() {
  document.querySelector("#notices").replaceChildren();
}

function leaveForLogin() {
  const page = location.pathname.slice(location.pathname.lastIndexOf("/console/"));
  location.assign(`${LOGIN}?${new URLSearchParams({ next: page + location.search })}`);
}

// ------------------------------------------------------------------ the state of the stream

const word = document.querySelector("#connection");
const explanation = document.querySelector("#connection-detail");
const announcement = document.querySelector("#announcement");
const button = document.querySelector("#reconnect");
let timer = 0;
let wasAway = false;

button.addEventListener("click", () => stream.reconnect());

function showState(state, detail) {
  document.documentElement.dataset.connection = state; // for the styles, and for tests
  word.textContent = state;
  clearInterval(timer);
  if (detail.retryAt) timer = setInterval(showExplanation, 1000, detail);
  showExplanation(detail);
  showButton(state === "lost" || state === "closed");
  announce(state, detail.reason);
  // The session may have expired. Then the stream is refused where SSE_AUTHORIZE is set.
  if (detail.status === 401 || detail.status === 403) leaveIfSignedOut();
}

function showExplanation({ reason, retryAt }) {
  const seconds = Math.ceil((retryAt - Date.now()) / 1000);
  const next = retryAt ? (seconds > 0 ? `trying again in ${seconds} s` : "trying again now") : "";
  explanation.textContent = [reason, next].filter(Boolean).join("; ");
}

function showButton(isNeeded) {
  // The focus must not fall back to the top of the page when the button disappears.
  if (!isNeeded && document.activeElement === button) document.querySelector("#main").focus();
  button.hidden = !isNeeded;
}

/** Tell screen readers of changes that matter: not of each pause, and not of each second. */
function announce(state, reason) {
  const because = reason ? `: ${reason}` : "";
  if (state === "lost") announcement.textContent = `The stream is lost${because}.`;
  if (state === "closed") announcement.textContent = `The stream is closed${because}.`;
  if (state === "open" && wasAway) announcement.textContent = "The stream is open again.";
  if (state === "lost" || state === "closed") wasAway = true;
  else if (state === "open") wasAway = false;
}

async function leaveIfSignedOut() {
  const session = await request("GET", "/session").catch(() => null);
  if (session?.signed_in === false) leaveForLogin();
}

stream.onState(showState);

// ------------------------------------------------------------------ the banner of a new version

let firstVersion;

stream.on("version", (data) => {
  const version = data?.version;
  if (typeof version !== "string" || data.error) return; // the server does not know it now
  firstVersion ??= version;
  const banner = document.querySelector("#version");
  banner.hidden = version === firstVersion;
  if (banner.hidden) return;
  const changes = typeof data.changelog === "string" ? shortened(data.changelog, MAX_SHOWN) : "";
  const name = shortened(version, MAX_SHOWN);
  const text = `Version ${name} is available${changes ? `: ${changes}` : "."}`;
  const reload = element("button", { class: "button primary", type: "button" }, "Reload");
  reload.addEventListener("click", () => location.reload());
  banner.replaceChildren(element("p", { dir: "auto" }, text), reload);
});
