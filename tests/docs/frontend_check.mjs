// Runs the examples of docs/frontend.md against a browser made of a few fakes.
// Run in a folder that holds the examples; prints "ok NAME" for each check.
import assert from "node:assert/strict";
import { pathToFileURL } from "node:url";

const load = (file, query = "") => import(`${pathToFileURL(file).href}${query}`);
const turn = () => new Promise((resolve) => setImmediate(resolve));

class FakeEventSource extends EventTarget {
  static CONNECTING = 0;
  static OPEN = 1;
  static CLOSED = 2;
  static all = [];

  constructor(url) {
    super();
    this.url = url;
    this.readyState = FakeEventSource.CONNECTING;
    FakeEventSource.all.push(this);
  }

  static get last() {
    return FakeEventSource.all.at(-1);
  }

  open() {
    this.readyState = FakeEventSource.OPEN;
    this.onopen();
  }

  fail(readyState) {
    this.readyState = readyState;
    this.onerror();
  }

  send(name, data, lastEventId = "") {
    this.dispatchEvent(new MessageEvent(name, { data: JSON.stringify(data), lastEventId }));
  }

  close() {
    this.readyState = FakeEventSource.CLOSED;
  }
}

let timers = [];
const realSetTimeout = setTimeout;
globalThis.EventSource = FakeEventSource;
const fakeSetTimeout = (what, after) => timers.push({ what, after });
globalThis.setTimeout = fakeSetTimeout;
globalThis.clearTimeout = (number) => number && (timers[number - 1].cleared = true);

const checks = {
  async "request ids are fresh UUIDs"() {
    const { newRequestId } = await load("stream.js");
    const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
    assert.match(newRequestId(), uuid);
    const { randomUUID } = crypto;
    Object.defineProperty(crypto, "randomUUID", { value: undefined, configurable: true });
    assert.match(newRequestId(), uuid);
    assert.notEqual(newRequestId(), newRequestId());
    Object.defineProperty(crypto, "randomUUID", { value: randomUUID, configurable: true });
  },

  async "a stream is kept open"() {
    const { openStream } = await load("stream.js");
    const seen = [];
    const close = openStream((...event) => seen.push(event), (state) => seen.push(state));
    const first = FakeEventSource.last;
    assert.match(first.url, /^\/api\/sse\/stream\?request_id=[0-9a-f-]{36}$/);
    first.open();
    first.send("version", { version: "1" });
    first.fail(FakeEventSource.CONNECTING);
    first.open(); // There was no id, so what was sent in between is lost.
    first.send("task_event", { task_id: "a" }, "e-7");
    first.send("server_restart", { reason: "server_shutdown" }, "e-7");
    first.send("fish", {}, "e-7");
    first.fail(FakeEventSource.CONNECTING);
    first.open();
    first.send("resync", { reason: "too_old" }, "e-9");
    assert.deepEqual(seen, [
      ...["open", "missed", ["version", { version: "1" }, ""], "waiting", "open", "missed"],
      ["task_event", { task_id: "a" }, "e-7"],
      ["server_restart", { reason: "server_shutdown" }, "e-7"],
      ...["waiting", "open", "missed"],
    ]);
    assert.equal(FakeEventSource.last, first);
    assert.deepEqual(timers, []);

    const pauses = [];
    for (let i = 0; i < 8; i += 1) {
      FakeEventSource.last.fail(FakeEventSource.CLOSED);
      pauses.push(timers.at(-1).after);
      timers.at(-1).what();
      assert.equal(FakeEventSource.last.url, `${first.url}&last_event_id=e-9`);
    }
    const expected = [1, 2, 4, 8, 16, 30, 30, 30].map((seconds) => seconds * 1000);
    pauses.forEach((pause, i) => assert.ok(pause >= expected[i] && pause <= expected[i] * 1.5));
    FakeEventSource.last.open();
    assert.equal(seen.at(-1), "open");
    // Some clients give no last id with an event that has no id of its own.
    FakeEventSource.last.send("version", { version: "1" });
    assert.deepEqual(seen.at(-1), ["version", { version: "1" }, "e-9"]);
    FakeEventSource.last.fail(FakeEventSource.CLOSED);
    assert.ok(timers.at(-1).after <= 1500);
    close();
    assert.equal(timers.at(-1).cleared, true);
    timers = [];
  },

  async "a page begins where its state ends"() {
    const { start } = await load("start.js");
    const answers = [
      { tasks: ["old"], last_event_id: "e-3" },
      { tasks: ["new"], last_event_id: "e-9" },
      { tasks: ["alone"], last_event_id: null },
    ];
    globalThis.fetch = async (url) => {
      assert.equal(url, "http://x/api/tasks");
      return { ok: true, status: 200, json: async () => answers.shift() };
    };
    const seen = [];
    const go = () =>
      start(
        (tasks) => seen.push(tasks),
        (name) => seen.push(name),
        (state) => seen.push(state),
        "http://x",
      );
    await go();
    assert.match(FakeEventSource.last.url, /^http:\/\/x\/api.*&last_event_id=e-3$/);
    FakeEventSource.last.open();
    FakeEventSource.last.send("task_event", {}, "e-4");
    FakeEventSource.last.send("resync", { reason: "unknown" }, "e-8");
    await turn();
    assert.deepEqual(seen, [["old"], "open", "task_event", "missed", ["new"]]);
    await go();
    assert.match(FakeEventSource.last.url, /request_id=[0-9a-f-]{36}$/);
    answers.push({ error: "busy" });
    globalThis.fetch = async () => ({ ok: false, status: 500, json: async () => answers.shift() });
    FakeEventSource.last.open(); // A failed request is no unhandled rejection.
    await turn();
    answers.push({ error: "busy" });
    await assert.rejects(go(), { message: "busy" });
  },

  async "tasks are told apart and remembered"() {
    const { Tasks } = await load("tasks.js");
    const tasks = new Tasks({ remembered: 2 });
    const states = [];
    tasks.handle({ task_id: "a", event_type: "task_started", data: {} });
    tasks.handle({ task_id: "b", event_type: "task_failed", data: { error: "no" } });
    const unfollow = tasks.follow("a", (state) => states.push(state));
    tasks.handle({ task_id: "a", event_type: "progress_update", data: { value: 0.5, text: "x" } });
    tasks.handle({ task_id: "a", event_type: "of the future", data: {} });
    tasks.handle({ task_id: "a", event_type: "task_completed", data: { n: 1 }, omitted: ["m"] });
    unfollow();
    tasks.handle({ task_id: "a", event_type: "task_cancelled", data: {} });
    const progress = { value: 0.5, text: "x" };
    assert.deepEqual(states, [
      { status: "running" },
      { status: "running", progress },
      { status: "running", progress },
      { status: "completed", progress, result: { n: 1 }, omitted: ["m"] },
    ]);
    tasks.handle({ task_id: "c", event_type: "task_started", data: {} });
    tasks.follow("a", () => assert.fail("the oldest was to be forgotten"));
    tasks.follow("b", (state) => assert.deepEqual(state, { status: "failed", error: "no" }));
  },

  async "tasks are asked for after a gap"() {
    const { Tasks } = await load("tasks.js");
    const tasks = new Tasks();
    const asked = [];
    const states = {};
    for (const id of ["a/b", "gone", "broken", "busy", "late", "over"]) {
      tasks.follow(id, (state) => (states[id] = state));
    }
    tasks.handle({ task_id: "over", event_type: "task_cancelled", data: {} });
    const progress = { value: 1, text: "" };
    globalThis.fetch = async (url) => {
      asked.push(url);
      if (url.includes("gone")) return { ok: false, status: 404 };
      if (url.includes("busy") && asked.filter((each) => each === url).length === 1) {
        return { ok: false, status: 503, headers: new Headers({ "Retry-After": "2" }) };
      }
      if (url.includes("broken")) throw new TypeError("network");
      if (url.includes("late")) {
        tasks.handle({ task_id: "late", event_type: "task_completed", data: { n: 2 } });
        return { ok: true, json: async () => ({ status: "running", progress }) };
      }
      return { ok: true, json: async () => ({ status: "completed", progress, result: { n: 1 } }) };
    };
    const refreshing = tasks.refresh();
    await turn();
    const [{ what, after }] = timers;
    assert.ok(after >= 2000 && after <= 3000);
    assert.equal(states.busy, undefined);
    what();
    await refreshing;
    assert.deepEqual(
      asked.sort(),
      ["a%2Fb", "broken", "busy", "busy", "gone", "late"].map((id) => `/api/tasks/${id}/status`),
    );
    assert.equal(states["a/b"].status, "completed");
    assert.deepEqual(states["a/b"].result, { n: 1 });
    assert.deepEqual(states.gone, { status: "unknown" });
    assert.deepEqual(states.late, { status: "completed", result: { n: 2 }, omitted: [] });
    assert.equal(states.broken, undefined);
    assert.equal(states.busy.status, "completed");

    // A server that stays busy is not asked for ever.
    const { ask } = await load("tasks.js");
    timers = [];
    globalThis.setTimeout = (again) => timers.push(again) && again();
    globalThis.fetch = async () => ({ ok: false, status: 503, headers: new Headers() });
    assert.equal((await ask("/")).status, 503);
    assert.equal(timers.length, 4);
    timers = [];
    globalThis.setTimeout = fakeSetTimeout;
  },

  async "a task is run to its result"() {
    globalThis.document = { body: { dataset: {} } };
    const { run } = await load("app.js");
    const source = FakeEventSource.last;
    source.open();
    assert.equal(document.body.dataset.stream, "open");
    const event = (task_id, event_type, data, more = {}) =>
      source.send("task_event", { task_id, event_type, data, ...more });
    const answers = (status, body) => {
      globalThis.fetch = async (url, options) => {
        answers.last = [url, options];
        return { ok: status < 400, status, json: async () => body };
      };
    };

    // The events are faster than the answer.
    globalThis.fetch = async (url, options) => {
      answers.last = [url, options];
      event("1", "task_started", {});
      event("1", "task_completed", { n: 1 });
      return { ok: true, json: async () => ({ task_id: "1", status: "running" }) };
    };
    assert.deepEqual(await run("demo_task", { steps: 3 }), { n: 1 });
    const [url, { method, headers, body }] = answers.last;
    assert.deepEqual([url, method], ["/api/tasks", "POST"]);
    assert.deepEqual(headers, { "Content-Type": "application/json" });
    assert.deepEqual(JSON.parse(body), { task_type: "demo_task", params: { steps: 3 } });

    // They are slower, and others come in between.
    answers(202, { task_id: "2", status: "pending" });
    const seen = [];
    const running = run("demo_task", {}, (progress) => seen.push(progress));
    await turn();
    event("2", "task_started", {});
    event("3", "task_failed", { error: "not ours" });
    event("2", "progress_update", { value: 0.5, text: "half" });
    event("2", "task_completed", { n: 2 });
    assert.deepEqual(await running, { n: 2 });
    assert.deepEqual(seen, [{ value: 0.5, text: "half" }]);

    // Part of the result was left out.
    answers(202, { task_id: "4", status: "running" });
    const large = run("demo_task", {});
    await turn();
    answers(200, { result: { n: 4, files: {} } });
    event("4", "task_completed", { n: 4 }, { omitted: ["files"] });
    assert.deepEqual(await large, { n: 4, files: {} });

    for (const [type, data, message] of [
      ["task_failed", { error: "disk full" }, "disk full"],
      ["task_cancelled", {}, "cancelled"],
    ]) {
      answers(202, { task_id: type, status: "running" });
      const failing = run("demo_task", {});
      await turn();
      event(type, type, data);
      await assert.rejects(failing, { message });
    }
    answers(202, { task_id: "6", status: "running" });
    const lost = run("demo_task", {});
    await turn();
    answers(404, {});
    source.open();
    await assert.rejects(lost, { message: "the server no longer knows this task" });

    answers(400, { error: "Unknown task type" });
    await assert.rejects(run("fish", {}), { message: "Unknown task type" });
  },

  async "a worker serves all pages"() {
    globalThis.self = globalThis;
    await load("sse-worker.js");
    const source = FakeEventSource.last;
    const ports = [];
    globalThis.addEventListener = (name, what) => (page[name] = what);
    let page = {};
    globalThis.SharedWorker = class {
      constructor(url, options) {
        assert.deepEqual([url, options], ["/sse-worker.js", { type: "module", name: "sse" }]);
        const [mine, its] = Array.from({ length: 2 }, () => ({}));
        mine.postMessage = (data) => its.onmessage({ data: structuredClone(data) });
        its.postMessage = (data) => mine.onmessage({ data: structuredClone(data) });
        self.onconnect({ ports: [its] });
        ports.push(mine);
        this.port = mine;
      }
    };
    const { sharedStream } = await load("shared-stream.js");
    const seen = [[], []];
    sharedStream((...event) => seen[0].push(event), (state) => seen[0].push(state));
    const firstPage = page;
    source.open();
    source.send("version", { version: "1" });
    page = {};
    sharedStream((...event) => seen[1].push(event), (state) => seen[1].push(state));
    source.send("task_event", { task_id: "a" });
    firstPage.pagehide();
    source.send("task_event", { task_id: "b" });
    firstPage.pageshow({ persisted: false });
    firstPage.pageshow({ persisted: true });
    const version = ["version", { version: "1" }];
    const task = (task_id) => ["task_event", { task_id }];
    assert.deepEqual(seen, [
      [
        ...["waiting", "missed", "open", "missed", version, task("a")],
        ...["open", version, "missed"],
      ],
      ["open", version, "missed", task("a"), task("b")],
    ]);
    assert.equal(FakeEventSource.last, source);

    delete globalThis.SharedWorker;
    sharedStream(() => {});
    assert.notEqual(FakeEventSource.last, source);
  },

  async "pages elect the one that holds the stream"() {
    const channels = [];
    globalThis.BroadcastChannel = class {
      constructor(name) {
        assert.equal(name, "sse");
        channels.push(this);
      }

      postMessage(data) {
        for (const channel of channels) {
          if (channel !== this) channel.onmessage?.({ data: structuredClone(data) });
        }
      }
    };
    const waiting = [];
    const locks = { request: (name, held) => (waiting.length ? waiting : [held()]) && waiting.push(held) };
    Object.defineProperty(globalThis, "navigator", { value: { locks }, configurable: true });
    const { electedStream } = await load("elected-stream.js");
    const before = FakeEventSource.all.length;
    const seen = [[], [], []];
    const add = (i) =>
      electedStream((...event) => seen[i].push(event), (state) => seen[i].push(state));
    add(0);
    const source = FakeEventSource.last;
    source.open();
    source.send("version", { version: "1" }, "e-1");
    add(1);
    add(2);
    source.send("task_event", { task_id: "a" }, "e-2");
    const version = ["version", { version: "1" }];
    const task = ["task_event", { task_id: "a" }];
    assert.deepEqual(seen, [
      ["open", "missed", version, task],
      ...Array(2).fill(["open", version, "missed", task]),
    ]);
    assert.equal(FakeEventSource.all.length, before + 1);

    channels.shift(); // The first page is closed, and the next one gets the lock.
    waiting[1]();
    assert.match(FakeEventSource.last.url, /&last_event_id=e-2$/);
    FakeEventSource.last.open();
    assert.deepEqual(seen.map((all) => all.slice(4)), [[], ["open"], ["open"]]);
    assert.equal(FakeEventSource.all.length, before + 2);

    delete globalThis.BroadcastChannel;
    electedStream(() => {});
    assert.equal(FakeEventSource.all.length, before + 3);
  },

  async "a page knows when it is out of date"() {
    const { isOutdated } = await load("version.js");
    assert.deepEqual(
      ["1", "2", "unknown"].map((version) => isOutdated("1", { version })),
      [false, true, false],
    );
  },
};

for (const [name, check] of Object.entries(checks)) {
  const limit = realSetTimeout(() => {
    console.log(`too slow: ${name}`);
    process.exit(1);
  }, 10_000);
  await check();
  clearInterval(limit);
  console.log(`ok ${name}`);
}
process.exit(0);
