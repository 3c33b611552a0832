/**
 * Random walks over tabs that share a stream: `node walk.mjs FOLDER FIRST LAST`.
 *
 * In each walk, numbers are published while tabs open, close, crash, freeze and thaw, and the
 * server cuts, refuses, falls silent and forgets its log. Prints what was missed or double.
 */
import { Server } from "./server.mjs";
import { Tab, World, diceOf, load } from "./world.mjs";

const STEPS = 60;
const [folder, first, last] = process.argv.slice(2);
const module = load(folder);

/** Open a tab that notes its numbers, each with what must come next. */
function open(world, server) {
  const tab = new Tab(world, module, (...request) => server.fetch(...request));
  tab.onGone = () => {
    for (const stream of [...server.streams]) if (stream.tab === tab) stream.end();
  };
  tab.problems = [];
  tab.expected = null; // After the first number, or a resync.
  tab.stream = tab.module.connect({});
  tab.stream.on("number", ({ epoch, position }) => {
    const id = `e${epoch}-${position}`;
    const problem = `got ${id} instead of ${tab.expected}`;
    // Two hubs for a moment, one before and one after the log was lost: a resync must follow.
    const isOther = tab.expected?.split("-")[0] !== id.split("-")[0];
    if (tab.expected !== null && isOther) tab.awaitsResync ??= problem;
    else if (tab.expected !== null && id !== tab.expected) tab.problems.push(problem);
    tab.expected = `e${epoch}-${position + 1}`;
  });
  tab.stream.on("resync", (_, { id }) => {
    const [epoch, position] = id.split("-");
    tab.expected = id === "" ? null : `${epoch}-${Number(position) + 1}`;
    tab.awaitsResync = null;
    tab.resyncs = (tab.resyncs ?? 0) + 1;
  });
  return tab;
}

async function walk(seed) {
  const dice = diceOf(seed);
  const world = new World(dice);
  const server = new Server(world);
  const trace = [];
  const some = () => world.tabs[Math.floor(dice() * world.tabs.length)];
  const publishing = () => {
    server.publish();
    world.plan(20 + Math.floor(dice() * 400), null, publishing);
  };
  const beating = () => {
    server.beat();
    world.plan(5_000, null, beating);
  };
  publishing();
  beating();
  const awake = (act) => {
    const tab = some();
    if (!tab.held) act(tab);
  };
  const leave = (how) => {
    const tab = some();
    if (world.tabs.length < 2 || tab.held) return;
    tab[how]();
    world.tabs = world.tabs.filter((each) => each !== tab);
  };
  const acts = {
    open: () => world.tabs.length < 6 && open(world, server),
    close: () => leave("close"),
    crash: () => leave("crash"),
    freeze: () => some().freeze(),
    thaw: () => some().thaw(),
    thawAll: () => world.tabs.forEach((tab) => tab.thaw()),
    hide: () => awake((tab) => tab.say("pagehide") ?? tab.say("pageshow")),
    cut: () => server.cut(),
    refuse: () => (server.refuses = true),
    accept: () => (server.refuses = server.isSilent = false),
    silence: () => (server.isSilent = true),
    forget: () => dice() < 0.3 && server.forget(),
    focus: () => awake((tab) => tab.say("focus")),
    reconnect: () => awake((tab) => tab.stream.reconnect()),
  };
  open(world, server);
  open(world, server);
  await world.run(500);
  for (let step = 0; step < STEPS; step += 1) {
    const names = Object.keys(acts);
    const name = names[Math.floor(dice() * names.length)];
    trace.push(name);
    acts[name]();
    await world.run(dice() < 0.3 ? 0 : dice() ** 3 * 25_000);
  }
  acts.accept();
  acts.thawAll();
  await world.run(120_000);
  const streams = server.streams.size;
  const problems = world.tabs.flatMap((tab) => [...tab.problems, ...tab.errors.map(String)]);
  const end = `e${server.epoch}-${server.newest + 1}`;
  const behind = (tab) => server.newest + 1 - Number(tab.expected?.split("-")[1] ?? 0);
  for (const tab of world.tabs)
    if (tab.expected?.split("-")[0] !== end.split("-")[0] || behind(tab) > 5)
      problems.push(`ends at ${tab.expected} of ${end}, ${tab.stream.state}`);
  for (const { awaitsResync } of world.tabs) if (awaitsResync) problems.push(awaitsResync);
  if (streams !== 1) problems.push(`${streams} streams are open`);
  const resyncs = world.tabs.reduce((sum, tab) => sum + (tab.resyncs ?? 0), 0);
  return { problems, resyncs, opened: server.opened.length, trace };
}

const report = {};
let opened = 0;
let resyncs = 0;
for (let seed = Number(first); seed < Number(last); seed += 1) {
  const result = await walk(seed);
  opened += result.opened;
  resyncs += result.resyncs;
  if (result.problems.length > 0) report[seed] = { problems: result.problems, trace: result.trace };
}
console.log(JSON.stringify({ report, opened, resyncs }));
