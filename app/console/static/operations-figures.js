// What the operations page shows of a sample: sentences, and the lines of the charts.

import { milliseconds, span } from "./operations-words.js";
import { counted, number, size } from "./words.js";

const NOT_HERE = "not known here, because another gateway serves the streams";

/**
 * The present figures: each a term, and a function that puts a sample into words. An empty text:
 * the server has no such figure.
 *
 * @type {[string, (sample: any, limits: any) => string][]}
 */
export const FIGURES = [
  ["Streams", streams],
  ["Deliveries", deliveries],
  ["Broadcast time", broadcasts],
  ["Event loop", ({ loop_lag_ms }) => `busy for at most ${milliseconds(loop_lag_ms)} at a time`],
  ["Memory", ({ memory_bytes }) => (memory_bytes === null ? "unknown" : size(memory_bytes))],
  ["Event log", log],
  ["Slow clients", slowClients],
  ["Tasks", tasks],
  ["Workers", workers],
];

function streams({ streams: open, opened, closed, gateway, workers = [] }, { max_streams }) {
  const most = max_streams === null ? "" : ` of at most ${number(max_streams)}`;
  const waiting = gateway === null ? "" : `, ${counted(gateway.pending_connects, "connect")} waiting`;
  const start = workers.length ? "the start of the workers" : "the start";
  const ended = `${number(opened)} opened and ${number(closed)} ended since ${start}`;
  return `${number(open)} open${most}${waiting}; ${ended}`;
}

function deliveries({ deliveries_per_second, events_per_second }) {
  return `${number(deliveries_per_second)} a second (${number(events_per_second)} events a second)`;
}

function broadcasts({ broadcast_ms, longest_broadcast_ms }) {
  if (broadcast_ms === null) return "no broadcast in the last five seconds";
  return `${milliseconds(broadcast_ms)} on average, ${milliseconds(longest_broadcast_ms)} at most`;
}

function log({ gateway }, { replays }) {
  if (gateway === null) return NOT_HERE;
  if (!replays) return "off (SSE_REPLAY=off)";
  if (gateway.log === null) return "not open yet";
  const { newest_id, oldest_id, bytes, oldest_age_seconds, in_memory } = gateway.log;
  const place = in_memory ? ", in the memory of this process" : "";
  if (bytes === 0) return `no events${place}; position ${newest_id}`;
  const kept = `${size(bytes)} of the last ${span(oldest_age_seconds)}${place}`;
  return `${kept}; newest event ${newest_id}, oldest ${oldest_id}`;
}

function slowClients({ gateway }) {
  if (gateway === null) return NOT_HERE;
  const waiting = `${size(gateway.bytes_buffered)} held back for them`;
  const behind = gateway.log?.streams_behind;
  if (!behind) return `none is behind, ${waiting}`;
  const verb = behind === 1 ? "is" : "are";
  const furthest = `at most ${size(gateway.log.bytes_behind)}`;
  return `${counted(behind, "stream")} ${verb} behind, ${furthest}; ${waiting}`;
}

function tasks({ tasks_running, tasks_waiting }, { max_tasks_running }) {
  const running = `${number(tasks_running)} of at most ${number(max_tasks_running)} running`;
  return `${running}, ${number(tasks_waiting)} waiting`;
}

/** Say what each worker does. A server with one worker does not mention it. */
function workers({ workers: all = [] }) {
  return all.map(workerText).join("; ");
}

function workerText({ worker, streams: open, loop_lag_ms, memory_bytes, silent_seconds }) {
  const memory = memory_bytes === null ? "" : `, ${size(memory_bytes)}`;
  const silent = silent_seconds > 0 ? `no figures for ${span(silent_seconds)}` : "";
  const state = silent || `busy for at most ${milliseconds(loop_lag_ms)} at a time`;
  return `${worker}: ${counted(open, "stream")}, ${state}${memory}`;
}

/**
 * The charts. Each has one or two lines; a line reads its value from a sample, null: no value.
 * `words` writes a value. A chart begins at 0, unless `fromLowest` is true.
 */
export const CHARTS = [
  {
    title: "Deliveries a second",
    lines: [
      { name: "deliveries", read: (sample) => sample.deliveries_per_second },
      { name: "events", read: (sample) => sample.events_per_second },
    ],
    words: number,
  },
  {
    title: "Streams",
    lines: [{ name: "streams", read: (sample) => sample.streams }],
    words: number,
  },
  {
    title: "Broadcast time",
    lines: [
      { name: "longest", read: (sample) => sample.longest_broadcast_ms },
      { name: "average", read: (sample) => sample.broadcast_ms },
    ],
    words: milliseconds,
  },
  {
    title: "Event loop lag",
    // Of several workers, that of the slowest.
    lines: [{ name: "longest", read: (sample) => sample.loop_lag_ms }],
    words: milliseconds,
  },
  {
    title: "Memory",
    lines: [{ name: "memory", read: (sample) => sample.memory_bytes }],
    words: size,
  },
  {
    title: "Log position",
    lines: [
      { name: "newest event", read: (sample) => sample.gateway?.log?.newest ?? null },
      { name: "oldest event", read: (sample) => sample.gateway?.log?.oldest ?? null },
    ],
    words: (value) => Math.round(value).toLocaleString("en-US"),
    fromLowest: true,
  },
  {
    title: "Streams behind",
    lines: [{ name: "streams", read: (sample) => sample.gateway?.log?.streams_behind ?? null }],
    words: number,
  },
  {
    title: "Furthest stream behind",
    lines: [{ name: "bytes", read: (sample) => sample.gateway?.log?.bytes_behind ?? null }],
    words: size,
  },
  {
    title: "Tasks",
    lines: [
      { name: "running", read: (sample) => sample.tasks_running },
      { name: "waiting", read: (sample) => sample.tasks_waiting },
    ],
    words: number,
  },
];
