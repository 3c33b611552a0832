/**
 * One stream of Server-Sent Events, read by fetch and resumed after every end. No tabs, no tasks:
 * sse-client.js builds on this.
 *
 * `Parser` splits the text of a stream into *blocks*: an event, or only an id. `Stream` notices
 * that the connection is dead, and comes back after a pause with the id of the last block. It does
 * not use an EventSource, which shows neither the status of a refusal nor heartbeats: of 30 blocks
 * with an id alone, Chromium 156 dispatched 0 events.
 */

/** The longest pause that grows by itself, in milliseconds, like all times here. */
export const LONGEST_PAUSE = 30_000;
const GROWTH = 1.5; // Of the pauses.
const FIRST_PAUSE = 2_000; // Until the server has sent retry:.
const SHORTEST_ORDER = 100; // Of retry: and Retry-After, which a server may get wrong.
const LONGEST_ORDER = 3_600_000;
const STEADY_AFTER = 5_000; // A stream that lives this long has really opened.
const HEARTBEAT = 15_000; // Until the server has named its own interval.
const MISSED_HEARTBEATS = 2.5;
const CONNECT_LIMIT = 30_000; // How long an answer may take to begin.

/**
 * Return how many events lie between two ids; NaN if they are not ids of the same log. The ids of
 * other servers may have any form. They are not compared.
 */
export function distance(from, to) {
  const [a, b] = [from, to].map((id) => /^([a-z0-9]{1,16})-(\d{1,15})$/.exec(id));
  return a && b && a[1] === b[1] ? Number(b[2]) - Number(a[2]) : NaN;
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** The events of blocks that were read before. Blocks are read by the hub and by its own tab. */
const events = new WeakMap();

/** Return the event of a block. The envelope dialect has the name inside the data. */
export function eventOf(block) {
  let event = events.get(block);
  if (event === undefined) {
    const { name, text, id } = block;
    const data = parse(text);
    const inside = name === "message" && typeof data?.type === "string" && "payload" in data;
    event = inside
      ? { name: data.type, data: data.payload, text: JSON.stringify(data.payload), id }
      : { name, data, text, id };
    events.set(block, event);
  }
  return event;
}

/** Return the name of a block's event. Most blocks need not be read for that. */
export function nameOf(block) {
  return block.name === "message" ? eventOf(block).name : block.name;
}

/** Make the block of an event that the server did not send. */
export function ownBlock(name, data, id) {
  return { name, text: JSON.stringify(data), id, numbered: false };
}

/**
 * Splits a stream into blocks (WHATWG HTML, "Server-sent events"). A block without a name has no
 * event; it may have an id, or be a comment alone.
 */
class Parser {
  #pieces = []; // Of a line that has not ended. One may be long, so it is joined only once.
  #afterReturn = false;
  #name = "";
  #data = [];
  #numbered = false;

  constructor(id) {
    this.id = id;
    this.retry = 0;
  }

  /** Return the blocks that end in a piece of text. */
  feed(text) {
    const blocks = [];
    if (this.#afterReturn && text.startsWith("\n")) text = text.slice(1);
    this.#afterReturn = text.endsWith("\r");
    let start = 0;
    for (const end of text.matchAll(/\r\n|\r|\n/g)) {
      const line = this.#pieces.splice(0).join("") + text.slice(start, end.index);
      start = end.index + end[0].length;
      if (line === "") blocks.push(this.#end());
      else this.#read(line);
    }
    if (start < text.length) this.#pieces.push(text.slice(start));
    return blocks;
  }

  #read(line) {
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    if (field === "data") {
      this.#data.push(value);
    } else if (field === "event") {
      this.#name = value;
    } else if (field === "id" && !value.includes("\0")) {
      this.id = value;
      this.#numbered = true;
    } else if (field === "retry" && /^\d+$/.test(value)) {
      this.retry = Number(value);
    }
  }

  #end() {
    const hasEvent = this.#data.length > 0;
    const name = hasEvent ? this.#name || "message" : "";
    const block = { name, text: this.#data.join("\n"), id: this.id, numbered: this.#numbered };
    this.#name = "";
    this.#data = [];
    this.#numbered = false;
    return block;
  }
}

/** Return why an answer is not a stream: in words, its status, and its Retry-After. */
async function refusalOf(response) {
  const { status } = response;
  const answer = parse((await response.text().catch(() => "")).slice(0, 10_000));
  const said = answer?.error?.message ?? answer?.error;
  const words = `the server answered ${status}${typeof said === "string" ? `: ${said}` : ""}`;
  const after = response.headers.get("Retry-After") ?? "";
  const pause = /^\d+$/.test(after) ? Number(after) * 1000 : Date.parse(after) - Date.now();
  return [words, status, Math.min(Math.max(pause || 0, 0), LONGEST_ORDER)];
}

/**
 * Reads one stream, again and again. `tell.blocks(blocks)` gets what arrives, `tell.state()` is
 * called after each change.
 */
export class Stream {
  cursor = ""; // The id after which the next request begins.
  state = "connecting";
  detail = { reason: "", status: 0, retryAt: 0 };
  wasOpen = false; // Whether events may have been sent to an earlier stream.
  #wasOpenBefore = false; // The same at the beginning of the present stream.
  #config;
  #tell;
  #control = new AbortController(); // Of the present request.
  #silence = CONNECT_LIMIT; // A longer silence means that the connection is dead.
  #heardAt = [0, 0]; // When the last byte came, by two clocks.
  #askedAt = 0;
  #notBefore = 0; // The end of the server's Retry-After.
  #retry = FIRST_PAUSE;
  #failures = 0;
  #timers = { pause: 0, grace: 0, steady: 0, look: 0 };
  #unproved = false; // Whether the present one has not shown yet that it replays.

  constructor(config, tell) {
    this.#config = config;
    this.#tell = tell;
  }

  /** Connect now. Does nothing while the stream is open or connecting. */
  reconnect() {
    if (this.state !== "closed" && this.#timers.pause === 0) return;
    if (this.state === "closed") this.#set("connecting");
    this.ask();
  }

  /**
   * Do what is due: end a request that is silent for too long, or send the next one. Browsers delay
   * the timers of hidden tabs, and after a sleep, one of the clocks has jumped.
   * `isBack`: the browser was away, so ask before the pause has ended, but once in a usual pause.
   */
  look(isBack = false) {
    if (this.#timers.pause !== 0) {
      const soon = Math.max(this.#askedAt + this.#retry, this.#notBefore);
      if (Date.now() >= (isBack ? soon : this.detail.retryAt)) this.ask();
    } else if (this.#timers.look !== 0) {
      const silent = Math.max(Date.now() - this.#heardAt[0], performance.now() - this.#heardAt[1]);
      if (silent < this.#silence) return;
      this.#wait(`nothing arrived for ${Math.round(silent / 1000)} s`);
      this.look(true);
    }
  }

  /** Begin again after an earlier id. */
  rewind(cursor) {
    this.cursor = cursor;
    if (this.#timers.look !== 0) this.ask();
  }

  close(reason) {
    this.#end();
    this.#clearGrace();
    this.#failures = 0;
    this.#set("closed", reason);
  }

  /** Send a request, and read the stream that answers it. */
  async ask() {
    this.#end();
    const control = (this.#control = new AbortController());
    this.#askedAt = Date.now();
    this.#silence = CONNECT_LIMIT;
    this.#heard();
    this.#timers.look = setInterval(() => this.look(), 1_000);
    const end = await this.#read(control).catch(({ message }) => [
      this.state === "open" ? `the connection broke: ${message}` : "no answer",
    ]);
    if (!control.signal.aborted) this.#wait(...end);
  }

  /** Read the stream of one request. Returns why it has ended. */
  async #read({ signal }) {
    const { url, requestId, withCredentials, headers } = this.#config;
    const target = new URL(url);
    target.searchParams.set("request_id", requestId);
    // In the URL, because a header would need a preflight request at another origin.
    if (this.cursor) target.searchParams.set("last_event_id", this.cursor);
    const credentials = withCredentials ? "include" : "same-origin";
    /** @type {RequestInit} */
    const options = { headers: headers?.(), credentials, cache: "no-store", signal };
    const response = await fetch(target, options);
    if (response.status === 204) this.close("the server answered 204: there is no stream any more");
    if (!response.ok || response.body === null) return refusalOf(response);
    if (!/^text\/event-stream *(;|$)/i.test(response.headers.get("Content-Type") ?? ""))
      return ["the answer is not an event stream"];
    const seconds = Number(response.headers.get("SSE-Heartbeat-Seconds"));
    this.#silence = MISSED_HEARTBEATS * (seconds > 0 ? seconds * 1000 : HEARTBEAT);
    this.#open();
    const parser = new Parser(this.cursor);
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { value, done } = await reader.read();
      if (done || signal.aborted) return ["the server ended the stream"];
      this.#heard();
      this.#take(parser.feed(value), parser.retry);
    }
  }

  #open() {
    this.#clearGrace();
    // A server without ids does not replay, so what was sent in the meantime is lost.
    const missed = this.wasOpen && this.cursor === "";
    this.#wasOpenBefore = this.wasOpen;
    this.wasOpen = true;
    this.#unproved = this.cursor !== "";
    this.#timers.steady = setTimeout(() => {
      this.#timers.steady = 0;
      this.#failures = 0;
    }, STEADY_AFTER);
    this.#set("open");
    if (missed) this.#tell.blocks([ownBlock("resync", { reason: "no_ids" }, "")]);
  }

  #take(blocks, retry) {
    if (retry > 0) this.#retry = Math.min(Math.max(retry, SHORTEST_ORDER), LONGEST_ORDER);
    const passed = [];
    for (const block of blocks) {
      const name = nameOf(block);
      const isRefusal = name === "rejected" || name === "server_restart";
      // A stream may begin with a comment or with retry: alone. A comment that comes later is a
      // heartbeat, and says that the replay is over.
      const isSilent = name === "" && !block.numbered && this.#timers.steady !== 0;
      if (this.#unproved && !isRefusal && !isSilent && name !== "ready") {
        this.#unproved = false;
        if (!block.numbered) {
          this.cursor = ""; // The server was asked for a replay, and has no ids.
          passed.push(ownBlock("resync", { reason: "no_ids" }, ""));
        }
      }
      if (name === "rejected") this.wasOpen = this.#wasOpenBefore; // It has sent nothing else.
      if (block.numbered) this.cursor = block.id;
      if (name !== "" && !isRefusal) this.#failures = 0;
      if (name !== "" || block.numbered) passed.push(block);
    }
    if (passed.length > 0) this.#tell.blocks(passed);
    if (passed.some((block) => nameOf(block) === "connection_close"))
      this.close("the server has closed the stream");
  }

  /** Plan the next request, after a pause that grows. */
  #wait(reason, status = 0, retryAfter = 0) {
    this.#end();
    // Asking again soon is of no use if the request itself is refused.
    const isLasting = status >= 400 && status < 500 && ![408, 425, 429].includes(status);
    const usual = isLasting ? LONGEST_PAUSE : this.#retry * GROWTH ** this.#failures;
    this.#failures += 1;
    const pause = Math.min(usual, Math.max(LONGEST_PAUSE, this.#retry)) * (1 + Math.random() / 2);
    // Later than the server asks for, because it has told all browsers the same.
    const length = Math.max(pause, retryAfter * (1 + Math.random() / 4));
    this.#notBefore = Date.now() + retryAfter;
    this.#timers.pause = setTimeout(() => this.ask(), length);
    this.#timers.grace ||= setTimeout(() => this.#lose(), this.#config.grace);
    const state = this.state === "lost" ? "lost" : "waiting";
    this.#set(state, reason, status, Date.now() + length);
  }

  #lose() {
    const { reason, status, retryAt } = this.detail;
    this.#set("lost", reason, status, retryAt);
  }

  #heard() {
    this.#heardAt = [Date.now(), performance.now()];
  }

  /** End the present request and the pause. */
  #end() {
    this.#control.abort();
    clearTimeout(this.#timers.pause);
    clearTimeout(this.#timers.steady);
    clearInterval(this.#timers.look);
    this.#timers.pause = this.#timers.look = 0;
  }

  #clearGrace() {
    clearTimeout(this.#timers.grace);
    this.#timers.grace = 0;
  }

  #set(state, reason = "", status = 0, retryAt = 0) {
    this.state = state;
    this.detail = { reason, status, retryAt };
    this.#tell.state();
  }
}
