/**
 * What happens seldom, in a world without a browser: `node cases.mjs FOLDER` prints by case what
 * test_cases.py expects.
 */
import { Server } from "./server.mjs";
import { Tab, World, diceOf, load } from "./world.mjs";

const module = load(process.argv[2]);

/** Return a world with a server, and a way to open tabs. */
function site(...server_options) {
  const world = new World(diceOf(1));
  const server = new Server(world, ...server_options);
  const tab = (globals = {}) =>
    new Tab(world, module, (...request) => server.fetch(...request), globals);
  return { world, server, tab };
}

function resyncsOf(stream) {
  const reasons = [];
  stream.on("resync", ({ reason }) => reasons.push(reason));
  return reasons;
}

const cases = {
  async locksAreRefused() {
    const { world, tab } = site();
    const request = () => Promise.reject(new Error("SecurityError"));
    const stream = tab({ navigator: { locks: { request } } }).module.connect();
    await world.run(1_000);
    return [stream.state, stream.sharing];
  },

  async aPageThatDoesNotShareLeadsNobody() {
    const { world, server, tab } = site();
    const alone = tab();
    alone.module.connect({ headers: () => ({ Authorization: "mine" }) });
    await world.run(1_000);
    const other = tab();
    other.module.connect();
    await world.run(1_000);
    return server.opened.map((request) => (request.tab === alone ? "alone" : "other"));
  },

  async aStreamThatTheServerHasClosed() {
    const { world, server, tab } = site(undefined, () => "event: connection_close\ndata: {}\n\n");
    const [first, second] = [tab({ SharedWorker: undefined }), tab({ SharedWorker: undefined })];
    const streams = [first, second].map(({ module: { connect } }) => connect());
    await world.run(60_000);
    const before = server.opened.length;
    first.close(); // The other tab is the next hub, and need not ask.
    await world.run(60_000);
    const after = server.opened.length;
    streams[1].reconnect();
    await world.run(60_000);
    const { state, detail } = streams[1];
    return [state, detail.reason, after - before, server.opened.length - after];
  },

  async closeInAHandler() {
    const { world, server, tab } = site();
    const stream = tab().module.connect();
    const seen = [];
    stream.on("number", ({ position }) => {
      seen.push(position);
      stream.close();
    });
    await world.run(1_000);
    server.isSilent = true; // So the next events come in one answer.
    server.cut();
    for (let count = 0; count < 5; count += 1) server.publish();
    server.isSilent = false;
    await world.run(10_000);
    return [seen, stream.state];
  },

  async closeWhileWelcomed() {
    const version = 'event: version\ndata: {"version": 1}\n\n';
    const { world, server, tab } = site(undefined, () => version);
    tab().module.connect();
    await world.run(1_000);
    const stream = tab().module.connect();
    stream.on("version", () => stream.close());
    await world.run(1_000);
    return [stream.state, server.opened.length];
  },

  async closeInAStateHandler() {
    const { world, tab } = site();
    const stream = tab().module.connect();
    const seen = [];
    stream.onState((state) => state === "open" && stream.close());
    stream.onState((state) => seen.push(state));
    await world.run(1_000);
    return [seen.at(-1), stream.state];
  },

  async aHandlerThatRegistersItselfAgain() {
    const { world, server, tab } = site();
    const stream = tab().module.connect();
    const seen = [];
    const once = () => {
      const remove = stream.on("number", ({ position }) => {
        remove();
        seen.push(position);
        if (seen.length > 50) throw new Error("without end");
        once();
      });
    };
    once();
    await world.run(1_000);
    server.publish();
    server.publish();
    await world.run(1_000);
    return seen;
  },

  async aRemovedHandlerIsNotCalled() {
    const { world, server, tab } = site();
    const stream = tab().module.connect();
    const seen = [];
    stream.on("number", () => remove());
    const remove = stream.on("number", () => seen.push("removed"));
    await world.run(1_000);
    server.publish();
    await world.run(1_000);
    return seen;
  },

  async aTaskHandlerThatRemovesItself() {
    const event = (event_type) => JSON.stringify({ event_type, task_id: "t", data: {} });
    const text = (type) => `event: task_event\ndata: ${event(type)}\n\n`;
    const first = () => text("task_started") + text("progress_update");
    const { world, server, tab } = site(undefined, first);
    const stream = tab().module.connect();
    await world.run(1_000);
    const seen = [];
    const remove = stream.task("t").on(({ event_type }) => {
      seen.push(event_type);
      remove();
    });
    await world.run(1_000);
    for (const body of server.streams) body.send(text("task_completed"));
    await world.run(1_000);
    return seen;
  },

  async nobodyWaitsForATask() {
    const { world, tab } = site();
    const stream = tab().module.connect();
    let rejected = 0;
    const count = () => (rejected += 1);
    process.on("unhandledRejection", count);
    const { finished } = stream.task("t");
    await world.run(100);
    stream.close();
    await world.run(100);
    process.off("unhandledRejection", count);
    return [rejected, await finished.catch(() => "rejected")];
  },

  async idsOfOtherServers() {
    const results = {};
    const forms = { number: (_, at) => `${at}`, entity: (_, at) => `Order_${at}` };
    for (const [form, idOf] of Object.entries(forms)) {
      const { world, server, tab } = site(idOf);
      const leader = tab();
      leader.module.connect();
      const stream = tab().module.connect();
      const reasons = resyncsOf(stream);
      await world.run(1_000);
      server.publish();
      await world.run(1_000);
      leader.close();
      await world.run(1_000);
      const seen = [];
      stream.on("number", ({ position }) => seen.push(position));
      server.publish();
      await world.run(1_000);
      results[form] = [seen, reasons, server.opened.length];
    }
    return results;
  },

  async idsThatAreNotOrdered() {
    const ids = ["Order-5", "Order-3", "a-9007199254740993", "a-9007199254740992", "x"];
    const { world, server, tab } = site();
    const stream = tab().module.connect();
    const seen = [];
    stream.on("order", (_, { id }) => seen.push(id));
    await world.run(1_000);
    for (const body of server.streams)
      for (const id of ids) body.send(`id: ${id}\nevent: order\ndata: 1\n\n`);
    await world.run(1_000);
    return seen.length === ids.length;
  },

  async aStreamThatBeginsWithAComment() {
    const { world, server, tab } = site(undefined, () => ": welcome\n\nretry: 1000\n\n");
    const stream = tab().module.connect();
    const reasons = resyncsOf(stream);
    const seen = [];
    stream.on("number", ({ position }) => seen.push(position));
    await world.run(1_000);
    server.cut();
    server.publish();
    await world.run(10_000);
    return [seen, reasons];
  },

  async aServerThatStopsToSendIds() {
    const { world, server, tab } = site();
    const stream = tab().module.connect();
    const reasons = resyncsOf(stream);
    await world.run(1_000);
    server.hasIds = false;
    server.cut();
    await world.run(10_000);
    server.beat();
    await world.run(1_000);
    return [reasons, stream.lastEventId];
  },

  async anEndlessGraceTime() {
    const { world, server, tab } = site();
    server.refuses = true;
    const stream = tab().module.connect({ graceSeconds: Infinity });
    await world.run(60_000);
    return stream.state;
  },

  async aDeadStreamIsReplacedAtOnce() {
    const { world, server, tab } = site();
    const stream = tab().module.connect();
    let since = 0;
    stream.onState((state) => state === "waiting" && (since = world.now));
    await world.run(1_000);
    server.isSilent = true;
    while (since === 0 && world.now < 2_000_000) await world.run(10);
    server.isSilent = false;
    await world.run(100);
    return [stream.state, world.now - since < 1_000];
  },

  async aTabWhoseNameHasChanged() {
    const { world, tab } = site();
    const [returning, other] = [tab(), tab()];
    const stream = returning.module.connect();
    const reasons = resyncsOf(stream);
    await world.run(1_000);
    returning.say("pagehide"); // Its stream ends, and another one begins.
    await world.run(1_000);
    const { requestId } = stream;
    other.module.connect();
    await world.run(1_000);
    returning.say("pageshow");
    await world.run(1_000);
    return [reasons, stream.requestId !== requestId, stream.state];
  },

  async aBrowserThatComesBackAlone() {
    const { world, tab } = site();
    const page = tab();
    const stream = page.module.connect();
    const reasons = resyncsOf(stream);
    await world.run(1_000);
    const { requestId } = stream;
    page.say("pagehide");
    page.say("pageshow");
    await world.run(1_000);
    return [reasons, stream.requestId === requestId, stream.state];
  },
};

const results = {};
for (const [name, run] of Object.entries(cases))
  results[name] = await run().catch((error) => String(error.stack));
console.log(JSON.stringify(results));
