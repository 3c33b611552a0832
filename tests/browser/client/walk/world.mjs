/**
 * A browser without a browser: tabs with clocks, locks and channels of their own, in virtual time.
 *
 * `new World(dice)` has one list of tasks, which `run` takes in the order of their times. A `Tab`
 * loads the client's modules, with these globals. A tab that is frozen gets its tasks when it is
 * thawed. A tab that has crashed gets none, and its locks are free.
 */
import { readFileSync } from "node:fs";
import { setImmediate as settle } from "node:timers/promises";

const NAMES = ["sse-stream", "sse-tasks", "sse-client", "sse-event-source"];
const FACE = "return { connect, SharedEventSource };";

/** Return a function that runs the modules of a folder with other globals. */
export function load(folder) {
  const sources = NAMES.map((name) => readFileSync(`${folder}/${name}.js`, "utf8"));
  const text = sources
    .join("\n")
    .replace(/^import .*;$/gm, "")
    .replace(/^export /gm, "")
    .replace(/^const (CONNECTING|OPEN|CLOSED) /gm, "var $1 ")
    .replaceAll("import.meta.url", '"http://site/static/sse-client.js"');
  return new Function("globals", `with (globals) { return (() => { ${text} ${FACE} })(); }`);
}

/** A source of chance that is the same for the same seed. */
export function diceOf(seed) {
  let state = seed * 2_654_435_761 + 1;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export class World {
  now = 1_000_000;
  tabs = [];
  channels = [];
  locks = new Map(); // The requests for each lock: those that hold it, and those that wait.
  #tasks = [];
  #count = 0;

  constructor(dice) {
    this.dice = dice;
  }

  /** Plan a task of a tab, or of nobody. Returns it; a task whose `run` is null is dropped. */
  plan(delay, tab, run) {
    const task = { at: this.now + delay, order: (this.#count += 1), tab, run };
    let place = this.#tasks.length;
    while (place > 0 && this.#tasks[place - 1].at > task.at) place -= 1;
    this.#tasks.splice(place, 0, task);
    return task;
  }

  /** Run tasks that were due before, first of all. */
  resume(tasks) {
    for (const task of tasks) task.at = this.now;
    this.#tasks.unshift(...tasks);
  }

  /** Run the tasks of some milliseconds. */
  async run(duration) {
    const end = this.now + duration;
    await settle();
    while (this.#tasks.length > 0 && this.#tasks[0].at <= end) {
      const task = this.#tasks.shift();
      this.now = Math.max(this.now, task.at);
      if (task.run === null || task.tab?.isGone) continue;
      if (task.tab?.held) task.tab.held.push(task);
      else {
        task.run();
        await settle();
      }
    }
    this.now = end;
  }

  /** Grant a lock to whoever waits for it and may have it. */
  grant(name) {
    const requests = this.locks.get(name) ?? [];
    for (const request of requests) {
      const held = requests.filter(({ isHeld }) => isHeld);
      if (request.isHeld) continue;
      if (held.some((other) => !(other.isShared && request.isShared))) return;
      request.isHeld = true;
      request.grant();
    }
  }

  /** Take requests out of the list of a lock. */
  drop(name, isDropped) {
    const requests = this.locks.get(name) ?? [];
    this.locks.set(name, requests.filter((request) => !isDropped(request)));
    this.grant(name);
  }
}

export class Tab {
  isGone = false;
  held = null; // The tasks of a frozen tab.
  errors = [];
  #world;
  #listeners = new Map();

  /** `module` is from `load`. `fetch(url, signal, tab)` answers the requests. */
  constructor(world, module, fetch, globals = {}) {
    this.#world = world;
    this.storage = new Map();
    world.tabs.push(this);
    const own = { ...this.#globals(fetch), ...globals };
    // Names that the modules look for are these, or those of Node.js.
    this.module = module({ ...own, globalThis: own, self: own });
  }

  freeze() {
    this.held ??= [];
  }

  thaw() {
    const tasks = this.held ?? [];
    this.held = null;
    this.#world.resume(tasks);
  }

  /** Say to the page what a browser says. */
  say(event) {
    for (const { handler, signal } of this.#listeners.get(event) ?? [])
      if (!signal?.aborted) handler({ type: event });
  }

  close() {
    this.say("pagehide");
    this.crash();
  }

  crash() {
    this.isGone = true;
    this.#world.channels = this.#world.channels.filter(({ tab }) => tab !== this);
    for (const name of this.#world.locks.keys()) this.#world.drop(name, ({ tab }) => tab === this);
    this.onGone?.();
  }

  #globals(fetch) {
    const world = this.#world;
    const tab = this;
    const within = (delay) => (delay > 2 ** 31 - 1 ? 1 : Math.max(delay, 1)); // As browsers do.
    const plan = (run, delay = 0) => world.plan(within(delay), tab, run);
    const stop = (task) => task && (task.run = null);
    const every = (run, delay) => {
      const task = plan(() => {
        run();
        if (task.run !== null) task.next = every(run, delay);
      }, delay);
      return task;
    };
    const clear = (task) => {
      if (!task) return;
      task.run = null;
      if (task.next) clear(task.next);
    };
    class Clock extends Date {
      static now() {
        return world.now;
      }
    }
    const listen = (name, handler, options) => {
      if (!tab.#listeners.has(name)) tab.#listeners.set(name, []);
      tab.#listeners.get(name).push({ handler, signal: options?.signal });
    };
    return {
      navigator: { locks: { request: (...request) => this.#lock(...request) } },
      BroadcastChannel: channelClass(world, tab),
      MessageChannel: pairClass(world, tab),
      SharedWorker: undefined,
      SharedWorkerGlobalScope: undefined,
      setTimeout: plan,
      clearTimeout: stop,
      setInterval: every,
      clearInterval: clear,
      addEventListener: listen,
      document: { baseURI: "http://site/page", hidden: false },
      sessionStorage: {
        getItem: (key) => tab.storage.get(key) ?? null,
        setItem: (key, value) => tab.storage.set(key, value),
      },
      fetch: (url, { signal = null }) => fetch(new URL(url), signal, tab),
      reportError: (error) => tab.errors.push(error),
      performance: { now: () => world.now },
      Date: Clock,
      Math: Object.create(Math, { random: { value: world.dice } }),
    };
  }

  #lock(name, options, callback) {
    const world = this.#world;
    return new Promise((resolve, reject) => {
      const drop = () => world.drop(name, (other) => other === request);
      const request = {
        tab: this,
        isHeld: false,
        isShared: options.mode === "shared",
        reject: (error) => world.plan(0, this, () => reject(error)),
        grant: () => world.plan(0, this, run),
      };
      const run = async () => {
        try {
          resolve(await callback({ name }));
        } catch (error) {
          reject(error);
        } finally {
          if (!this.isGone) drop();
        }
      };
      options.signal?.addEventListener("abort", () => {
        if (request.isHeld) return;
        drop();
        request.reject(new Error("aborted"));
      });
      const requests = world.locks.get(name) ?? [];
      if (options.steal) {
        for (const other of requests.filter(({ isHeld }) => isHeld))
          other.reject(new Error("stolen"));
        const waiting = requests.filter(({ isHeld }) => !isHeld);
        world.locks.set(name, [request, ...waiting]);
      } else world.locks.set(name, [...requests, request]);
      world.grant(name);
    });
  }
}

/** Deliver what is posted in order, but not at once. */
class Port {
  onmessage = null;
  isClosed = false;
  #at = 0;

  constructor(world, tab) {
    this.world = world;
    this.tab = tab;
  }

  deliver(data) {
    this.#at = Math.max(this.#at, this.world.now + Math.floor(this.world.dice() * 4));
    this.world.plan(this.#at - this.world.now, this.tab, () => {
      if (!this.isClosed) this.onmessage?.({ data });
    });
  }

  close() {
    this.isClosed = true;
    this.world.channels = this.world.channels.filter((each) => each !== this);
  }
}

function channelClass(world, tab) {
  return class extends Port {
    constructor(name) {
      super(world, tab);
      this.name = name;
      world.channels.push(this);
    }

    postMessage(data) {
      if (this.isClosed) throw new Error("the channel is closed");
      for (const other of world.channels)
        if (other !== this && other.name === this.name) other.deliver(structuredClone(data));
    }
  };
}

function pairClass(world, tab) {
  return class {
    constructor() {
      this.port1 = new Port(world, tab);
      this.port2 = new Port(world, tab);
      this.port1.postMessage = (data) => this.port2.deliver(structuredClone(data));
      this.port2.postMessage = (data) => this.port1.deliver(structuredClone(data));
    }
  };
}
