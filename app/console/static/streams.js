// The page of streams: one page of the server's list, which follows what the stream tells.

import { askForSamples } from "./operations-feed.js";
import { element, request, showError, stream } from "./page.js";
import { counted, duration, number, size } from "./words.js";

const SAMPLE = "operations_sample"; // Its totals tell that streams have opened or ended.
const UNKNOWN = "unknown";
const PAUSE = 2_000; // Milliseconds between two requests for the list, at least.
const TYPING = 250; // Milliseconds after the last key before the list is searched.
const BADGES = { open: "good", behind: "warning", connecting: "accent", closing: "" };
const FIRST_ORDER = { request_id: "asc", address: "asc" }; // The numbers begin with the largest.

const find = document.querySelector("#find");
const table = document.querySelector("#streams");
const body = document.querySelector("#rows");
const rows = new Map(); // By token.
const wanted = wantedByAddress();

/** Return what the address of the page asks for, so that a reload shows the same. */
function wantedByAddress() {
  const query = new URLSearchParams(location.search);
  const sort = query.get("sort");
  return {
    sort: table.querySelector(`[data-sort="${CSS.escape(sort ?? "")}"]`) ? sort : "age",
    order: query.get("order") === "asc" ? "asc" : "desc",
    find: (query.get("find") ?? "").slice(0, find.maxLength),
    page: Math.max(Number.parseInt(query.get("page") ?? "", 10) || 1, 1),
  };
}

// ------------------------------------------------------------------ the list

let asked = 0; // The number of the newest request.
let loadedAt = -PAUSE;
let planned = 0;
let shown = { page: 1, pages: 1 };

/** Load the list. Only the answer to the newest request is shown. */
async function load() {
  clearTimeout(planned);
  planned = 0;
  loadedAt = performance.now();
  const number = (asked += 1);
  try {
    const answer = await request("GET", `/streams?${new URLSearchParams(wanted)}`);
    if (number === asked) show(answer);
  } catch (error) {
    if (number === asked) showError(error);
  }
}

/** Load the list soon, because streams have opened or ended. */
function loadSoon() {
  planned ||= setTimeout(load, Math.max(loadedAt + PAUSE - performance.now(), 0));
}

function change(values) {
  Object.assign(wanted, { page: 1 }, values);
  history.replaceState(null, "", `?${new URLSearchParams(wanted)}`);
  load();
}

function show(answer) {
  shown = answer;
  table.setAttribute("aria-busy", "false");
  document.querySelector("#remote").hidden = !answer.remote;
  const { total, found, incomplete } = answer;
  const all = counted(total, "stream");
  const words = found === total ? all : `${number(found)} of ${all}`;
  const missing = incomplete ? ". A process does not answer; its streams are missing." : "";
  setText(document.querySelector("#summary"), words + missing);
  const empty = document.querySelector("#empty");
  empty.hidden = answer.streams.length > 0;
  const none = incomplete ? "The processes that answer have no streams." : "No stream is open.";
  empty.textContent = total === 0 ? none : "No stream matches the search.";
  document.querySelector("#pages").hidden = answer.pages === 1;
  setText(document.querySelector("#page"), `Page ${number(answer.page)} of ${number(answer.pages)}`);
  document.querySelector("#previous").disabled = answer.page === 1;
  document.querySelector("#next").disabled = answer.page === answer.pages;
  showOrder();
  showRows(answer);
  if (incomplete) loadSoon(); // Nothing tells the page that the process answers again.
}

function showOrder() {
  const direction = wanted.order === "asc" ? "ascending" : "descending";
  for (const header of table.querySelectorAll("[data-sort]")) {
    if (header.dataset.sort === wanted.sort) header.setAttribute("aria-sort", direction);
    else header.removeAttribute("aria-sort");
  }
}

/** Show the rows. A row stays the same element, so that the focus and a question in it stay. */
function showRows({ streams, replays }) {
  const focused = document.activeElement;
  const tokens = new Set(streams.map(({ token }) => token));
  for (const [token, row] of rows) {
    if (tokens.has(token)) continue;
    if (row.element.contains(focused)) table.focus({ preventScroll: true });
    row.element.remove();
    rows.delete(token);
  }
  streams.forEach((values, index) => {
    if (!rows.has(values.token)) rows.set(values.token, new Row(values.token));
    const row = rows.get(values.token);
    row.show(values, replays);
    const present = body.children[index] ?? null;
    if (present !== row.element) body.insertBefore(row.element, present);
  });
  // An element that is moved loses the focus.
  if (body.contains(focused) && document.activeElement !== focused)
    focused.focus({ preventScroll: true });
}

function setText(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

// ------------------------------------------------------------------ one row

/** The row of one stream. */
class Row {
  #token;
  #cells;
  #since = null; // When the stream was registered, by the page's clock.

  constructor(token) {
    this.#token = token;
    const cell = (label) => element("td", { role: "cell", "data-label": label });
    this.#cells = {
      name: element("bdi"),
      own: element("span", { class: "own" }),
      address: cell("Address"),
      age: cell("Age"),
      events: cell("Events"),
      sent: cell("Sent"),
      behind: cell("Behind"),
      badge: element("span", { class: "badge" }),
      closes: element("span", { class: "visually-hidden" }),
      actions: element("td", { role: "cell", class: "actions" }),
    };
    const { name, own, badge } = this.#cells;
    const header = element("th", { scope: "row", role: "rowheader" }, name, own);
    const state = cell("State");
    state.append(badge);
    const { address, age, events, sent, behind, actions } = this.#cells;
    const cells = [header, address, age, events, sent, behind, state, actions];
    this.element = element("tr", { role: "row" }, ...cells);
    this.#offer(false);
  }

  show(values, replays) {
    const cells = this.#cells;
    const { events, bytes, events_behind: events_, bytes_behind: waiting } = values;
    setText(cells.name, values.request_id || "(no request id yet)");
    setText(cells.closes, ` the stream ${values.request_id}`);
    setText(cells.own, values.request_id === stream.requestId ? "this console" : "");
    const of = values.worker === undefined ? "" : `, worker ${values.worker}`;
    const at = values.server === undefined ? "" : ` of the server ${values.server}`;
    cells.name.title = `Token ${this.#token}${of}${at}`;
    setText(cells.address, values.address ?? UNKNOWN);
    this.#since = values.age === null ? null : performance.now() - values.age * 1_000;
    this.showAge();
    setText(cells.events, events === null ? UNKNOWN : number(events));
    setText(cells.sent, bytes === null ? UNKNOWN : size(bytes));
    const upTo = replays && waiting ? "up to " : "";
    const also = events_ ? ` (${counted(events_, "event")})` : "";
    setText(cells.behind, waiting === null ? UNKNOWN : `${upTo}${size(waiting)}${also}`);
    setText(cells.badge, values.state);
    cells.badge.className = `badge ${BADGES[values.state] ?? ""}`;
  }

  showAge() {
    const seconds = this.#since === null ? null : (performance.now() - this.#since) / 1_000;
    setText(this.#cells.age, seconds === null ? UNKNOWN : duration(seconds));
  }

  #offer(takesFocus) {
    const { closes } = this.#cells;
    const button = element("button", { class: "button", type: "button" }, "Close", closes);
    button.addEventListener("click", () => this.#ask());
    this.#cells.actions.replaceChildren(button);
    if (takesFocus) button.focus();
  }

  #ask() {
    const yes = element("button", { class: "button danger", type: "button" }, "Close it");
    const no = element("button", { class: "button", type: "button" }, "Keep it");
    const question = element(
      "div",
      { class: "question", role: "group", "aria-label": "Close this stream?" },
      element("span", {}, "Close this stream?"),
      yes,
      no,
    );
    yes.addEventListener("click", () => this.#close(yes));
    no.addEventListener("click", () => this.#offer(true));
    question.addEventListener("keydown", ({ key }) => key === "Escape" && this.#offer(true));
    this.#cells.actions.replaceChildren(question);
    yes.focus();
  }

  async #close(button) {
    button.setAttribute("aria-disabled", "true"); // Not disabled, which would drop the focus.
    const told = document.querySelector("#told");
    const name = this.#cells.name.textContent;
    told.textContent = "";
    try {
      await request("POST", `/streams/${encodeURIComponent(this.#token)}/close`);
      const did = shown.remote ? "Asked the gateway to close" : "Closed";
      told.textContent = `${did} the stream ${name}.`;
    } catch (error) {
      showError(error);
    }
    this.#offer(this.element.contains(document.activeElement));
    loadSoon();
  }
}

// ------------------------------------------------------------------ controls

let typing = 0;

find.value = wanted.find;
find.addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(() => change({ find: find.value }), TYPING);
});
document.querySelector("#refresh").addEventListener("click", () => load());
document.querySelector("#previous").addEventListener("click", () => {
  change({ page: shown.page - 1 });
});
document.querySelector("#next").addEventListener("click", () => change({ page: shown.page + 1 }));
for (const header of table.querySelectorAll("[data-sort]")) {
  header.querySelector("button").addEventListener("click", () => {
    const { sort } = header.dataset;
    const other = wanted.order === "asc" ? "desc" : "asc";
    change({ sort, order: sort === wanted.sort ? other : FIRST_ORDER[sort] ?? "desc" });
  });
}

// ------------------------------------------------------------------ what the stream tells

let totals = "";
let wasOpen = false;

askForSamples(stream, request, { onError: showError });
stream.on(SAMPLE, (data) => {
  const now = JSON.stringify([data?.opened, data?.closed]);
  if (now !== totals) loadSoon();
  totals = now;
});

stream.onState((state) => {
  // The list has this stream now. After a pause, another process may have answered, with its list.
  if (state === "open" && !wasOpen) load();
  wasOpen = state === "open";
});

setInterval(() => rows.forEach((row) => row.showAge()), 1_000);
load();
