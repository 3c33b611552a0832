// The page of events: the live log, replays of kept events, and a form that publishes an event.

import { connect } from "../../static/sse-client.js";
import { element, request, showError, stream } from "./page.js";
import { parseExactly } from "./events-json.js";
import { EventLog } from "./events-log.js";
import { counted, number, shortened } from "./words.js";

const REPLAYS = 3; // At a time, because a browser opens six connections to a server at most.
const TYPING = 250;
const NAMES = 200;

const $ = (selector) => document.querySelector(selector);

/** Append a choice to a datalist, which stays short. */
function suggest(list, value) {
  if (list.children.length < NAMES) list.append(element("option", { value }));
}

const log = new EventLog($("#log"), (name) => suggest($("#names"), name));
stream.tap((event) => log.add(event));

// ------------------------------------------------------------------ replays

const REASONS = new Map([
  ["too_old", "The server no longer keeps the events that follow this id."],
  ["unknown", "The server does not know this id. It belongs to another log."],
  ["lagging", "This stream was too slow, and has missed events."],
  ["no_ids", "The server keeps no events."],
]);

$("#replay-form").addEventListener("submit", (submitted) => {
  submitted.preventDefault();
  const isFull = $("#replays").children.length >= REPLAYS;
  $("#replay-error").textContent = isFull ? "Close one of the replays first." : "";
  if (!isFull) openReplay($("#replay-id").value.trim());
});

/** Show the events that follow an id, from a stream of their own. */
function openReplay(lastEventId) {
  // A name of its own, so that it neither replaces another stream nor shares its last id.
  const requestId = `console-replay-${crypto.getRandomValues(new Uint32Array(2)).join("-")}`;
  const url = new URL("../../api/sse/stream", import.meta.url).href;
  const replay = connect({ url, requestId, share: false, lastEventId });
  const state = element("p", { class: "log-status", role: "status" });
  const lost = element("p", { class: "notice warning", role: "alert", hidden: true });
  const close = element("button", { class: "button", type: "button" }, "Close the replay");
  const title = element("h3", { dir: "auto" }, `Events after ${shortened(lastEventId, 60)}`);
  const target = element("div");
  const section = element("div", { class: "replay" }, title, lost, state, close, target);
  const replayed = new EventLog(target);
  replay.tap((event) => replayed.add(event));
  replay.on("resync", (data) => {
    lost.hidden = false;
    const reason = REASONS.get(data?.reason) ?? "Events were missed.";
    lost.textContent = `${reason} What follows here is new.`;
  });
  replay.onState((now, detail) => {
    state.textContent = `Its stream: ${[now, detail.reason].filter(Boolean).join(", ")}`;
  });
  close.addEventListener("click", () => {
    replay.close();
    section.remove();
    $("#replay-id").focus();
  });
  $("#replays").append(section);
}

// ------------------------------------------------------------------ the form

const form = $("#publish-form");
const data = $("#publish-data");
const requestId = $("#publish-id");
const FIELDS = { name: $("#publish-name"), data, request_id: requestId };

/** The events that the browser client acts on. Publishing one of them is allowed. */
const NOTES = new Map([
  ["connection_close", "Browser clients close their stream at this event, and do not come back."],
  ["server_restart", "Browser clients expect the end of the stream after this event."],
  ["resync", "Pages load their state again at this event."],
  ["version", "Pages may ask their user to reload at this event."],
  ["task_event", "Pages expect the progress of a task in this event."],
]);

/** Return what is wrong with the data; empty: nothing. */
function problemOf(text) {
  if (text.trim() === "") return 'Enter JSON, such as {"text": "hello"}, 5, "text" or null.';
  try {
    parseExactly(text);
    return "";
  } catch (error) {
    return `This is not JSON: ${error.message}`;
  }
}

function showFault(field, message) {
  $(`#publish-${field}-error`).textContent = message;
  if (message) FIELDS[field].setAttribute("aria-invalid", "true");
  else FIELDS[field].removeAttribute("aria-invalid");
}

let typing = 0;

data.addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(() => showFault("data", problemOf(data.value)), TYPING);
});

FIELDS.name.addEventListener("input", () => {
  $("#publish-name-note").textContent = NOTES.get(FIELDS.name.value) ?? "";
  showFault("name", "");
});

form.addEventListener("change", () => {
  $("#publish-one").hidden = form.elements.audience.value !== "one";
});

requestId.addEventListener("input", () => {
  showFault("request_id", "");
  clearTimeout(typing);
  typing = setTimeout(suggestIds, TYPING);
});
requestId.addEventListener("focus", suggestIds);

async function suggestIds() {
  const query = new URLSearchParams({ sort: "request_id", find: requestId.value });
  try {
    const { streams } = await request("GET", `/streams?${query}`);
    $("#request-ids").replaceChildren();
    for (const { request_id: id } of streams) if (id) suggest($("#request-ids"), id);
  } catch {
    // Without the list, a request id is typed.
  }
}

form.addEventListener("submit", async (submitted) => {
  submitted.preventDefault();
  $("#published").textContent = "";
  for (const field of Object.keys(FIELDS)) showFault(field, "");
  const problem = problemOf(data.value);
  const isForOne = form.elements.audience.value === "one";
  if (problem) showFault("data", problem);
  if (isForOne && requestId.value === "") showFault("request_id", "Enter a request id.");
  const wrong = form.querySelector("[aria-invalid]");
  if (wrong) return wrong.focus();
  const body = { name: FIELDS.name.value, data: parseExactly(data.value) };
  if (isForOne) body.request_id = requestId.value;
  try {
    $("#published").textContent = reportOf(await request("POST", "/events", body));
  } catch (error) {
    showFaults(error);
  }
});

/** Show the server's messages at their fields, and what belongs to no field above the page. */
function showFaults(error) {
  const faults = (error.details ?? []).filter(({ loc }) => Object.hasOwn(FIELDS, loc?.[0]));
  if (faults.length === 0) return showError(error);
  for (const { loc, msg } of faults) showFault(loc[0], msg.replace(/^Value error, /, ""));
  form.querySelector("[aria-invalid]").focus();
}

/** Return who took a published event, in words. */
function reportOf({ id, kept, delivered, streams, elsewhere, request_id: name }) {
  const where = kept ? ` It is kept as ${id}` : "";
  const end = kept ? `${where}.` : "";
  if (elsewhere && (name == null || delivered === 0)) {
    // Other workers deliver it to their streams, and do not say to how many.
    const to = name == null ? counted(streams, "open stream") : `the request id ${name}`;
    return `The event was sent to ${to} of all workers.${end}`;
  }
  if (delivered === 0 && !kept) {
    const nobody = name == null ? "No stream is open." : `No stream has the request id ${name}.`;
    return `${nobody} The server keeps no events, so this one is lost.`;
  }
  if (name != null) {
    if (delivered > 0) return `The stream of the request id ${name} took the event.${end}`;
    return `No stream has the request id ${name} now.${where}, and is replayed when it returns.`;
  }
  if (delivered === 0) return `No stream is open.${where}, and is replayed to streams that return.`;
  const all = Math.max(streams, delivered);
  return `${number(delivered)} of ${counted(all, "stream")} took the event.${end}`;
}
