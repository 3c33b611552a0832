/**
 * What a connection of sse-client.js knows of tasks: the events that came before a page asked for
 * them, and the tasks that the page follows.
 */

import { distance, eventOf, nameOf } from "./sse-stream.js";

const KNOWN_TASKS = 200;
const KNOWN_EVENTS = 50; // Of one task.
const KNOWN_CHARACTERS = 4_000_000;
const TERMINAL = new Set(["task_completed", "task_failed", "task_cancelled", "task_unknown"]);

/** Return whether a task's event is its last one. */
export function isTerminal(event) {
  return TERMINAL.has(event.event_type);
}

/** Call a page's handler. An error in it must not keep the other handlers from their events. */
export function call(handler, ...values) {
  try {
    handler(...values);
  } catch (error) {
    reportError(error);
  }
}

/**
 * Call a page's handlers. One that is added meanwhile waits for the next event, because a handler
 * that registers itself again would be called without end. One that is removed is not called.
 */
export function callAll(handlers, ...values) {
  for (const handler of [...handlers]) if (handlers.has(handler)) call(handler, ...values);
}

/** What is known of the version and of tasks, for handlers that are registered later. */
export class Memory {
  version = null; // The block.
  #tasks = new Map(); // The blocks of each task, by its id. The oldest task is first.
  #size = 0;
  #newest; // The id of the last block that was noted.

  /** A copy is posted to a tab, which makes a memory of it. */
  constructor({ version, blocks, newest } = { version: null, blocks: [], newest: "" }) {
    this.version = version;
    this.#newest = newest;
    for (const block of blocks) this.#add(eventOf(block).data.task_id, block);
  }

  get copy() {
    const blocks = [...this.#tasks.values()].flat();
    return { version: this.version, blocks, newest: this.#newest };
  }

  eventsOf(taskId) {
    return (this.#tasks.get(taskId) ?? []).map((block) => eventOf(block).data);
  }

  /** Note a block. Returns the task event in it, if there is one that was not noted before. */
  note(block) {
    const name = nameOf(block);
    if (name === "version") this.version = block;
    if (name === "resync") this.#tasks.clear();
    else if (block.numbered && distance(this.#newest, block.id) <= 0) return null;
    if (block.numbered) this.#newest = block.id;
    const event = name === "task_event" ? eventOf(block).data : null;
    if (typeof event?.task_id !== "string") return null;
    this.#add(event.task_id, block);
    return event;
  }

  #add(id, block) {
    if (this.#tasks.size === 0) this.#size = 0;
    const blocks = this.#tasks.get(id) ?? [];
    this.#tasks.set(id, blocks);
    blocks.push(block);
    this.#size += block.text.length;
    // The first event is kept, and the newest ones.
    if (blocks.length > KNOWN_EVENTS) this.#size -= blocks.splice(1, 1)[0].text.length;
    for (const [oldest, dropped] of this.#tasks) {
      if (this.#tasks.size <= KNOWN_TASKS && this.#size <= KNOWN_CHARACTERS) return;
      for (const { text } of dropped) this.#size -= text.length;
      this.#tasks.delete(oldest);
    }
  }
}

/** One task, as a page follows it. */
export class Task {
  isChecked = false; // Whether no event of it can have been missed.
  readAt = ""; // Its status was read at this event, and says what the events before it say.
  #events;
  #listeners = new Set(); // Each gets every event, and null if the connection is closed.
  #isClosed = false;
  /** @type {Promise<any> | undefined} */
  #finished;

  constructor(id, known) {
    this.id = id;
    this.#events = known;
  }

  get isKnown() {
    return this.#events.length > 0;
  }

  get isOver() {
    return this.isKnown && isTerminal(this.#events[this.#events.length - 1]);
  }

  push(event) {
    if (this.isOver) return;
    this.#events.push(event);
    if (this.#events.length > KNOWN_EVENTS) this.#events.splice(1, 1);
    for (const listener of this.#listeners) listener(event);
  }

  close() {
    this.#isClosed = true;
    for (const listener of this.#listeners) listener(null);
  }

  on(handler) {
    return this.#listen((event) => event !== null && call(handler, event));
  }

  #listen(listener) {
    let isWanted = true;
    queueMicrotask(() => {
      const known = [...this.#events, ...(this.#isClosed ? [null] : [])];
      for (const event of known) if (isWanted) listener(event);
      if (isWanted) this.#listeners.add(listener);
    });
    return () => {
      isWanted = false;
      this.#listeners.delete(listener);
    };
  }

  async *[Symbol.asyncIterator]() {
    const queue = [];
    let wake = () => {};
    const stop = this.#listen((event) => {
      queue.push(event);
      wake();
    });
    try {
      for (;;) {
        while (queue.length === 0) await new Promise((go) => (wake = () => go(undefined)));
        const event = queue.shift();
        if (event === null) return;
        yield event;
        if (isTerminal(event)) return;
      }
    } finally {
      stop();
    }
  }

  get finished() {
    this.#finished ??= (async () => {
      for await (const event of this) if (isTerminal(event)) return event;
      throw new Error("the connection was closed before the task has ended");
    })();
    this.#finished.catch(() => {}); // A page may have no use for it any more.
    return this.#finished;
  }
}

/** Return what a task's status says, as the events that would have said it. */
export function eventsOfStatus(task_id, answer) {
  const { task_type, status, progress, result, error, omitted } = answer;
  const timestamp = answer.finished_at ?? answer.started_at ?? new Date().toISOString();
  const event = (event_type, data) => ({ event_type, task_id, timestamp, data });
  const started = event("task_started", { task_type });
  if (status === "pending") return [];
  if (status === "running") return [started, event("progress_update", progress)];
  if (status === "completed") return [{ ...event("task_completed", result), omitted }];
  if (status === "failed") return [event("task_failed", { error })];
  if (status === "cancelled") return [event("task_cancelled", {})];
  return [event("task_unknown", { error: "the server does not know this task" })];
}
