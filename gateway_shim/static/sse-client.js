/**
 * A stream of Server-Sent Events for a browser: one for all its tabs, and nothing is missed.
 *
 *   import { connect } from "/static/sse-client.js";
 *   const stream = connect();
 *   stream.on("task_event", (data) => …);
 *
 * sse-client.d.ts describes what pages use. Inside, from the server to the page:
 *
 * - `Stream` of sse-stream.js reads a stream, and resumes it after every end.
 * - `Hub` owns a stream, and passes its blocks on to the tabs of a BroadcastChannel. It lives in a
 *   SharedWorker, or in one of the tabs, the leader. A page that does not share has one for itself.
 * - `Link` is a tab's way to the hub.
 * - `Connection` belongs to a page. It knows the id of the last event that it has dispatched, and
 *   drops what it has dispatched before. So a new hub may begin too early, but never too late.
 *
 * A tab says hello with its last id. If it lacks events, the hub begins its stream again there.
 * A lock makes sure that there is one hub. All tabs wait for it, so when a hub ends or crashes, the
 * next tab is the hub. A hub that does not answer, because its tab is frozen, loses the lock. Each
 * tab holds a lock, too, by which the hub notices that a tab has vanished.
 */

import { LONGEST_PAUSE, Stream, distance, eventOf, nameOf, ownBlock } from "./sse-stream.js";
import { Memory, Task, call, callAll, eventsOfStatus, isTerminal } from "./sse-tasks.js";

const PROTOCOL = 1; // Of the messages between tabs and hub. Pages with another one do not share.
const LOOK_EVERY = 3_000; // Milliseconds, like all times here. A tab looks after a silent hub.
const WORKER_LIMIT = 30_000; // A tab waits so long for a worker before it becomes the hub.
const GATHER = 200; // A new hub hears its tabs before it opens its stream.
const FURTHEST_BACK = 50_000; // A tab that lacks more events is told to load its state.
const LONGEST_TIMER = 2 ** 31 - 1; // A browser runs a timer that is longer at once.
const NONE = new Set();
const STATUS_AFTER = 300; // The events of a new task come sooner than its status is asked for.

/** Return a new UUID. crypto.randomUUID is missing on plain http, except on localhost. */
function newId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * Owns a stream for the tabs that say hello on a channel. It begins with the first of them and ends
 * with the last. What a tab posts has a `do`. What the hub posts has a `to`: a tab, or "all".
 */
class Hub {
  #name = newId();
  #config;
  #kind;
  #channel;
  /** @type {Stream | null} */
  #stream = null;
  #requestId = "";
  #memory = new Memory();
  #tabs = new Set();
  #stop = new AbortController();

  constructor(config, kind, channel) {
    this.#config = config;
    this.#kind = kind;
    this.#channel = channel;
    channel.onmessage = ({ data }) => this.#receive(data);
    channel.postMessage({ do: "lead" });
  }

  stop() {
    this.#stop.abort();
    this.#end();
    this.#channel.close();
  }

  /** Stop, because another hub has taken the lock while this one was frozen. */
  resign() {
    // It may have answered what it had not read before, so tabs have come back to it.
    this.#channel.postMessage({ do: "lead" });
    this.stop();
  }

  #receive({ do: what, from, ...hello }) {
    if (what === "hello") this.#join(from, hello);
    if (what === "bye") this.#leave(from);
    if (what === "reconnect") this.#stream?.reconnect();
    if (what === "nudge") this.#stream?.look(true);
    if (what === "ping") this.#stream?.look();
    if (what === "ping" && this.#tabs.has(from)) this.#post(from, { do: "alive" });
    if (what === "ping" && !this.#tabs.has(from)) this.#channel.postMessage({ do: "lead" });
  }

  /** Let a tab in, which was given events up to an id. */
  #join(tab, hello) {
    const { cursor, requestId, closed } = hello;
    this.#stream ??= this.#begin(hello);
    const here = this.#stream.cursor;
    const behind = distance(cursor, here);
    let reason = "";
    if (cursor !== "" && here !== "" && cursor !== here && Number.isNaN(behind)) reason = "unknown";
    else if (behind > FURTHEST_BACK) reason = "too_old";
    else if (behind > 0 || (cursor !== "" && here === "")) this.#stream.rewind(cursor);
    else if (requestId && cursor === "" && this.#stream.state === "open") reason = "no_ids";
    // What was sent to the tab's former stream alone is not replayed to this one.
    else if (requestId && requestId !== this.#requestId && cursor !== "") reason = "unknown";
    if (!this.#tabs.has(tab)) {
      this.#tabs.add(tab);
      whenFree(tab, this.#stop.signal, () => this.#leave(tab));
      // Whoever opens a page expects it to ask the server.
      if (closed === null && this.#stream.state === "closed") this.#stream.reconnect();
      else this.#stream.look(true);
    }
    const memory = requestId ? null : this.#memory.copy; // A tab that comes back has its own.
    const own = { kind: this.#kind, requestId: this.#requestId, memory };
    this.#post(tab, { do: "welcome", cursor: here, ...own, ...this.#state });
    if (reason) this.#post(tab, { do: "blocks", blocks: [ownBlock("resync", { reason }, here)] });
  }

  #begin({ cursor, requestId, closed }) {
    // A hub that follows another one has its request id, so that events for it are replayed, too.
    this.#requestId = requestId || this.#config.requestId || newId();
    const stream = new Stream(
      { ...this.#config, requestId: this.#requestId },
      {
        state: () => this.#stream === stream && this.#post("all", { do: "state", ...this.#state }),
        blocks: (blocks) => this.#pass(blocks),
      },
    );
    stream.cursor = cursor;
    stream.wasOpen = requestId !== "";
    if (requestId) stream.state = "waiting"; // Nobody needs to know more of a change of hubs.
    if (closed === null) {
      setTimeout(() => this.#stream === stream && stream.ask(), requestId ? GATHER : 0);
    } else {
      stream.state = "closed"; // By the server, which need not say so twice.
      stream.detail = closed;
    }
    return stream;
  }

  get #state() {
    return { state: this.#stream?.state, detail: this.#stream?.detail };
  }

  #leave(tab) {
    this.#tabs.delete(tab);
    if (this.#tabs.size === 0) this.#end();
  }

  /** End the stream, and tell nobody: the tabs will hear of the next hub. */
  #end() {
    const stream = this.#stream;
    this.#stream = null;
    stream?.close("");
    this.#memory = new Memory();
  }

  #pass(blocks) {
    for (const block of blocks) this.#memory.note(block);
    this.#post("all", { do: "blocks", blocks });
  }

  #post(to, message) {
    this.#channel.postMessage({ from: this.#name, to, message });
  }
}

/** Hold a lock until the signal. Rejects if it is stolen, or was not granted until then. */
function hold(name, signal, onGranted = () => {}, /** @type {LockOptions} */ options = {}) {
  const held = new Promise((release) => {
    signal.addEventListener("abort", () => release(undefined));
  });
  const take = () => {
    if (!signal.aborted) onGranted();
    return held;
  };
  // The standard allows no signal for a steal, which is granted at once.
  return navigator.locks.request(name, "steal" in options ? options : { ...options, signal }, take);
}

/** Call a function when the holder of a lock has let go of it. */
function whenFree(name, signal, call) {
  const options = { signal, mode: /** @type {const} */ ("shared") };
  navigator.locks?.request(name, options, call).catch(() => {}); // Rejects after the signal.
}

/** Be the hub of a channel while no other one holds the lock. A worker without locks is alone. */
function lead(config, kind, signal, options = {}) {
  /** @type {Hub | null} */
  let hub = null;
  const begin = () => (hub ??= new Hub(config, kind, new BroadcastChannel(config.key)));
  const stop = () => hub?.stop();
  signal.addEventListener("abort", stop);
  const held = navigator.locks ? hold(`${config.key} hub`, signal, begin, options) : begin();
  Promise.resolve(held).catch(() => {
    if (signal.aborted) return;
    if (hub === null) return begin(); // Locks are refused.
    hub.resign(); // It was frozen, and another one leads now.
    lead(config, kind, signal);
  });
}

/** Runs in a SharedWorker: a hub for each configuration that tabs post. */
function serveTabs(scope) {
  const keys = new Set();
  scope.onconnect = ({ ports: [port] }) => {
    port.onmessage = ({ data: config }) => {
      if (!keys.has(config.key)) lead(config, "worker", new AbortController().signal);
      keys.add(config.key);
    };
  };
}

/** A tab's way to a hub. `tab` is the Connection that uses it. */
class Link {
  #name = newId();
  #config;
  #tab;
  #hub = ""; // The name of the hub that has welcomed this tab.
  #channel;
  #stop = new AbortController();
  #waitsForLead = false;
  #looks = 0; // Since the last message of the hub.
  #patience = 3 + Math.floor(Math.random() * 3); // Not all tabs lose theirs in the same moment.

  constructor(config, tab) {
    this.#config = config;
    this.#tab = tab;
    const { signal } = this.#stop;
    // By this lock, a hub notices that the tab has vanished.
    // A page whose storage is blocked may have no lock.
    const alone = () => signal.aborted || this.#goAlone();
    if (navigator.locks) hold(this.#name, signal, () => this.#open()).catch(alone);
    else this.#open();
  }

  /** Tell the hub something: `hello`, `bye`, `ping`, `nudge` or `reconnect`. */
  send(what, more = {}) {
    this.#channel?.postMessage({ do: what, from: this.#name, ...more });
  }

  leave() {
    this.send("bye");
    this.#stop.abort();
    this.#channel?.close();
  }

  #open() {
    const config = this.#config;
    const { signal } = this.#stop;
    const hasWorker = config.share && this.#startWorker();
    if (config.share && (hasWorker || navigator.locks)) {
      this.#channel = new BroadcastChannel(config.key);
      if (hasWorker) setTimeout(() => this.#waitForLead(), WORKER_LIMIT);
      else this.#waitForLead();
      const timer = setInterval(() => this.#look(), LOOK_EVERY);
      signal.addEventListener("abort", () => clearInterval(timer));
      this.#channel.onmessage = ({ data }) => this.#receive(data);
      this.#sayHello();
    } else {
      this.#goAlone();
    }
  }

  #goAlone() {
    this.#waitsForLead = true; // Never: its hub is not for other tabs.
    const { port1, port2 } = new MessageChannel();
    const hub = new Hub(this.#config, "direct", port2);
    this.#stop.signal.addEventListener("abort", () => hub.stop());
    this.#channel?.close();
    this.#channel = port1;
    this.#channel.onmessage = ({ data }) => this.#receive(data);
    this.#sayHello();
  }

  /** Start the worker, which is the hub unless a tab is one already. Returns whether it could. */
  #startWorker() {
    const { headers, worker: make, ...config } = this.#config;
    // A bundler has given the module another name, and its file would run the whole page.
    const isOwnFile = new URL(import.meta.url).pathname.endsWith("/sse-client.js");
    if (typeof SharedWorker === "undefined" || !(make || isOwnFile)) return false;
    try {
      const options = { type: /** @type {const} */ ("module"), name: config.key };
      const worker = make?.() ?? new SharedWorker(import.meta.url, options);
      worker.onerror = () => this.#waitForLead();
      worker.port.postMessage(config);
      return true;
    } catch {
      return false; // The page's policy forbids it, or the module is from another origin.
    }
  }

  /** Be the next hub. */
  #waitForLead(options = {}) {
    if (this.#stop.signal.aborted || (this.#waitsForLead && !("steal" in options))) return;
    this.#waitsForLead = true;
    if (navigator.locks) lead(this.#config, "leader", this.#stop.signal, options);
    else if (this.#hub === "") this.#goAlone(); // There is neither a worker nor a lock.
  }

  #sayHello() {
    this.send("hello", this.#tab.hello);
  }

  #receive({ do: what, from, to, message }) {
    if (what === "lead") this.#sayHello();
    if (to !== this.#name && (to !== "all" || from !== this.#hub)) return;
    this.#looks = 0;
    // There is another hub than the one that has welcomed this tab last.
    if (message.do === "alive" && from !== this.#hub) this.#sayHello();
    if (message.do === "welcome") {
      this.#hub = from;
      this.#waitForLead();
    }
    this.#tab.receive(message);
  }

  /** Look after a hub that was silent. One that is frozen or stuck does not answer. */
  #look() {
    this.#looks += 1;
    this.send("ping");
    if (this.#looks <= this.#patience) return;
    this.#looks = 0;
    if (navigator.locks) this.#waitForLead({ steal: true });
    else if (this.#startWorker()) this.#sayHello();
  }
}

/** The keys of the connections that this page has had: the first of each resumes after a reload. */
const keys = new Set();

/** Save the last id of a connection, or return the saved one. A page may have no storage. */
function savedId(key, /** @type {string | null} */ id = null) {
  try {
    if (id === null) return sessionStorage.getItem(key) ?? "";
    sessionStorage.setItem(key, id);
  } catch (error) {
    console.debug("sse-client: a reload of this page will not resume", error);
  }
  return "";
}

/** What `connect` returns; see sse-client.d.ts. */
class Connection {
  /** @type {import("./sse-client.js").State} */
  state = "closed";
  detail = { reason: "not connected yet", status: 0, retryAt: 0 };
  lastEventId = "";
  requestId = "";
  /** @type {import("./sse-client.js").Connection["sharing"]} */
  sharing = "";
  /** Handlers of blocks as they were sent, for SharedEventSource. */
  raw = new Set();
  #config;
  /** @type {Link | null} */
  #link = null;
  #memory = new Memory();
  #welcomed = false;
  #handlers = new Map();
  #stateHandlers = new Set();
  #taps = new Set();
  /** @type {Map<string, Task>} Those that are followed and not over, by their ids. */
  #tasks = new Map();
  #saving = 0;
  #stop = new AbortController();

  constructor(options) {
    const url = new URL(options.url ?? "/api/sse/stream", document.baseURI).href;
    const tasksUrl = new URL(options.tasksUrl ?? new URL("../tasks", url), document.baseURI).href;
    const { requestId = "", withCredentials = false, headers, worker, graceSeconds = 10 } = options;
    const key = `sse-client ${PROTOCOL} ${url} ${requestId} ${withCredentials}`;
    const grace = Math.min(graceSeconds * 1000, LONGEST_TIMER);
    const share = (options.share ?? true) && !headers && typeof BroadcastChannel !== "undefined";
    const given = { url, tasksUrl, requestId, withCredentials, headers, worker };
    this.#config = { ...given, key, grace, share };
    this.lastEventId = options.lastEventId ?? (keys.has(key) ? "" : savedId(key));
    keys.add(key);
    if (options.autoConnect ?? true) this.#start();
  }

  get version() {
    return this.#memory.version === null ? undefined : eventOf(this.#memory.version).data;
  }

  on(name, handler) {
    if (!this.#handlers.has(name)) this.#handlers.set(name, new Set());
    const handlers = this.#handlers.get(name);
    handlers.add(handler);
    if (name === "version" && this.#memory.version !== null) {
      const event = eventOf(this.#memory.version);
      queueMicrotask(() => handlers.has(handler) && call(handler, event.data, event));
    }
    return () => handlers.delete(handler);
  }

  onState(handler) {
    this.#stateHandlers.add(handler);
    queueMicrotask(() => {
      if (this.#stateHandlers.has(handler)) call(handler, this.state, this.detail);
    });
    return () => this.#stateHandlers.delete(handler);
  }

  tap(handler) {
    this.#taps.add(handler);
    return () => this.#taps.delete(handler);
  }

  task(id) {
    const followed = this.#tasks.get(id);
    if (followed !== undefined) return followed;
    const task = new Task(id, this.#memory.eventsOf(id));
    if (!task.isOver) {
      this.#tasks.set(id, task);
      setTimeout(() => this.#check(task), STATUS_AFTER);
    }
    return task;
  }

  reconnect() {
    if (this.#link === null) this.#start();
    else this.#link.send("reconnect");
  }

  close() {
    this.#stop.abort();
    this.#leave();
    for (const task of this.#tasks.values()) task.close();
    this.#tasks.clear();
    this.#setState("closed", { reason: "closed by the page", status: 0, retryAt: 0 });
  }

  // ------------------------------------------------------------------ the link

  #start() {
    this.#stop = new AbortController();
    const { signal } = this.#stop;
    const nudge = () => this.#link?.send("nudge");
    addEventListener("online", nudge, { signal });
    addEventListener("focus", nudge, { signal });
    addEventListener("visibilitychange", () => document.hidden || nudge(), { signal });
    addEventListener("pagehide", () => this.#leave(), { signal });
    // Back from the back/forward cache, where a page can have no stream.
    addEventListener("pageshow", () => this.#link ?? this.#join(), { signal });
    this.#setState("connecting", { reason: "", status: 0, retryAt: 0 });
    this.#join();
  }

  #join() {
    this.#link = new Link(this.#config, this);
  }

  #leave() {
    this.#save();
    this.#link?.leave();
    this.#link = null;
  }

  /** What a hub needs to know of this tab. */
  get hello() {
    const closed = this.state === "closed" ? this.detail : null;
    return { cursor: this.lastEventId, requestId: this.requestId, closed };
  }

  receive(message) {
    if (message.do === "welcome") this.#enter(message);
    if (message.do === "state") this.#setState(message.state, message.detail);
    if (message.do !== "blocks") return;
    const { signal } = this.#stop;
    for (const block of message.blocks) {
      if (signal.aborted) return; // A handler has closed the connection.
      this.#dispatch(block);
    }
  }

  #enter({ kind, state, detail, requestId, cursor, memory }) {
    const { signal } = this.#stop;
    this.requestId = requestId;
    this.sharing = kind;
    if (this.lastEventId === "") this.lastEventId = cursor;
    if (!this.#welcomed && memory !== null) {
      this.#welcomed = true;
      this.#memory = new Memory(memory);
      if (memory.version !== null) this.#give(memory.version);
      for (const task of this.#tasks.values())
        for (const event of this.#memory.eventsOf(task.id)) this.#tell(event);
    }
    if (!signal.aborted) this.#setState(state, detail); // A handler may have closed it.
  }

  #setState(state, detail) {
    const isSame = state === this.state && detail.retryAt === this.detail.retryAt;
    this.state = state;
    this.detail = detail;
    if (isSame) return;
    for (const handler of [...this.#stateHandlers])
      if (this.detail === detail) call(handler, state, detail); // A handler may have changed it.
    if (this.state === "open") for (const task of this.#tasks.values()) this.#check(task);
  }

  // ------------------------------------------------------------------ events

  #dispatch(block) {
    const isResync = nameOf(block) === "resync";
    // An earlier hub has passed it on, or this one began its stream again for another tab.
    if (block.numbered && !isResync && distance(this.lastEventId, block.id) <= 0) return;
    if (block.numbered || isResync) this.lastEventId = block.id;
    this.#saving ||= setTimeout(() => this.#save(), 1_000);
    const taskEvent = this.#memory.note(block);
    if (block.name === "") return;
    if (taskEvent !== null) this.#tell(taskEvent, block.id);
    if (isResync) for (const task of this.#tasks.values()) this.#check(task, true);
    this.#give(block);
  }

  #tell(event, id = "") {
    const task = this.#tasks.get(event.task_id);
    if (task === undefined || distance(task.readAt, id) <= 0) return;
    task.push(event);
    if (task.isOver) this.#tasks.delete(task.id);
  }

  #give(block) {
    const event = eventOf(block);
    callAll(this.raw, block);
    callAll(this.#taps, event);
    callAll(this.#handlers.get(event.name) ?? NONE, event.data, event);
  }

  /** Read the status of a task, if events of it may have been missed. */
  async #check(task, isMissed = false, pause = 1_000) {
    task.isChecked = !isMissed && (task.isChecked || task.isKnown);
    // Read while the stream is open, so that nothing is missed after it.
    if (task.isChecked || this.state !== "open" || !this.#tasks.has(task.id)) return;
    task.isChecked = true;
    const { tasksUrl, withCredentials, headers } = this.#config;
    const credentials = withCredentials ? "include" : "same-origin";
    try {
      const url = `${tasksUrl}/${encodeURIComponent(task.id)}/status`;
      const response = await fetch(url, { headers: headers?.(), credentials });
      if (!response.ok && response.status !== 404) throw new Error("no status");
      const status = response.ok ? await response.json() : {};
      const wasKnown = task.isKnown; // Then later events say more than a status in between.
      if (!wasKnown) task.readAt = status.last_event_id ?? "";
      for (const event of eventsOfStatus(task.id, status))
        if (!wasKnown || isTerminal(event)) this.#tell(event);
    } catch {
      const again = () => this.#check(task, true, Math.min(2 * pause, LONGEST_PAUSE));
      setTimeout(again, pause * (1 + Math.random() / 2));
    }
  }

  /** Keep the id for the tab's next page; never the request id: a copied tab would have it, too. */
  #save() {
    clearTimeout(this.#saving);
    this.#saving = 0;
    savedId(this.#config.key, this.lastEventId);
  }
}

/** Open the stream, or join the one that other tabs have opened; see sse-client.d.ts. */
export function connect(options = {}) {
  return new Connection(options);
}

if (typeof SharedWorkerGlobalScope !== "undefined" && self instanceof SharedWorkerGlobalScope)
  serveTabs(self);
