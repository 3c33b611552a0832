// The ways to use the client's types. A line below @ts-expect-error must be an error.

import { connect } from "./sse-client.js";
import type {
  Connection,
  Handler,
  Options,
  State,
  StateDetail,
  StreamEvent,
  Task,
  TaskEvent,
} from "./sse-client.js";
import { SharedEventSource } from "./sse-event-source.js";

const options: Options = {
  url: "/api/sse/stream",
  requestId: "me",
  share: true,
  worker: () => new SharedWorker("/static/sse-client.js", { type: "module" }),
  lastEventId: "7c1f9a0b3d-1042",
  withCredentials: true,
  headers: () => ({ Authorization: "Bearer 1" }),
  autoConnect: false,
  graceSeconds: 10,
  tasksUrl: "/api/tasks",
};
const stream: Connection = connect(options);
connect();
connect({});
// @ts-expect-error The URL is an option.
connect("/api/sse/stream");
// @ts-expect-error There is no such option.
connect({ shared: false });
// @ts-expect-error Seconds are a number.
connect({ graceSeconds: "10" });
// @ts-expect-error A worker of another kind serves one tab only.
connect({ worker: () => new Worker("/static/sse-client.js") });
// @ts-expect-error Headers may change, so a function returns them.
connect({ headers: { Authorization: "Bearer 1" } });

const state: State = stream.state;
const words: Record<State, string> = {
  connecting: "Connecting",
  open: "Live",
  waiting: "Reconnecting",
  lost: "Not connected",
  closed: "Closed",
};
words[state].toUpperCase();
// @ts-expect-error There is no such state.
stream.state === "reconnecting";
// @ts-expect-error The state cannot be set.
stream.state = "open";
// @ts-expect-error The id cannot be set.
stream.lastEventId = "";

const detail: StateDetail = stream.detail;
const next: Date | null = detail.retryAt > 0 ? new Date(detail.retryAt) : null;
const reason: string = `${detail.reason} ${detail.status.toFixed()} ${next}`;
const ids: string = reason + stream.lastEventId + stream.requestId;
const sharing: "" | "worker" | "leader" | "direct" = stream.sharing;
const version: string | undefined = stream.version?.version;

const handler: Handler = (data, event) => console.log(data.version, event.id, ids, version);
const stop: () => void = stream.on("version", handler);
stop();
stream.on("resync", () => location.reload());
stream.on("task_event", (event: TaskEvent) => console.log(event.task_id));
// @ts-expect-error The name is missing.
stream.on(handler);
// @ts-expect-error An event has no such field.
stream.on("version", (data, event) => event.lastEventId);
stream.onState((current: State, { retryAt }) => console.log(current, retryAt, sharing))();
stream.tap((event: StreamEvent) => console.log(event.name, event.data, event.text.length))();
// @ts-expect-error The text is a string.
stream.tap((event) => event.text.toFixed());

async function follow(id: string): Promise<TaskEvent> {
  const task: Task = stream.task(id);
  const unsubscribe: () => void = task.on(({ event_type: type, data }) => {
    if (type === "progress_update") console.log(task.id, data.value, data.text);
    // @ts-expect-error There is no such event.
    if (type === "task_done") console.log("done");
  });
  for await (const { event_type, timestamp, omitted } of task) {
    console.log(event_type, timestamp.slice(0, 10), omitted?.join(", "));
  }
  unsubscribe();
  // @ts-expect-error The last event is a promise.
  task.finished.event_type;
  return task.finished;
}
follow("d846191f-07f2-4328-9ac1-2df9c03a7738");
// @ts-expect-error The id is missing.
stream.task();

stream.reconnect();
stream.close();
// @ts-expect-error There is no such method.
stream.disconnect();

const source = new SharedEventSource(new URL("/api/sse/stream", location.href), { share: false });
const usual: Pick<EventSource, "close" | "readyState" | "url" | "withCredentials"> = source;
source.onopen = () => console.log(usual.url, source.readyState === SharedEventSource.OPEN);
source.onmessage = ({ data, lastEventId }) => console.log(data, lastEventId);
source.onerror = () => source.readyState === source.CLOSED && source.close();
source.addEventListener("version", (event) => console.log((event as MessageEvent).data));
// @ts-expect-error The URL is missing.
new SharedEventSource();
// @ts-expect-error A state is a number from 0 to 2.
source.readyState === 3;
