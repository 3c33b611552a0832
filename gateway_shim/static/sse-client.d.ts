/** The state of the stream. `lost` is a `waiting` that lasts longer than `graceSeconds`. */
export type State = "connecting" | "open" | "waiting" | "lost" | "closed";

/** Why the state is what it is, for messages and logs. */
export interface StateDetail {
  /** What happened, in words for people, such as "the server answered 502". Empty while open. */
  reason: string;
  /** The HTTP status of the last refused request; 0 if there was no answer, or none was refused. */
  status: number;
  /** The time of the next attempt, in milliseconds since 1970; 0 if none is planned. */
  retryAt: number;
}

/** One event, as the server has sent it. */
export interface StreamEvent {
  name: string;
  /** The data, parsed if it is JSON, else the text. */
  data: any;
  /** The data as it was sent. */
  text: string;
  /** The id after this event. An event without an id of its own has that of the event before. */
  id: string;
}

export type Handler = (data: any, event: StreamEvent) => void;

/** The data of a `task_event`. `task_unknown` is the client's own: the server has no such task. */
export interface TaskEvent {
  event_type:
    | "task_started"
    | "progress_update"
    | "task_completed"
    | "task_failed"
    | "task_cancelled"
    | "task_unknown";
  task_id: string;
  timestamp: string;
  data: any;
  omitted?: string[] | null;
}

/** One task. It is an async iterator over its events, which ends after the terminal event. */
export interface Task extends AsyncIterable<TaskEvent> {
  readonly id: string;
  /** Call a handler with every event of the task, those that arrived before included. */
  on(handler: (event: TaskEvent) => void): () => void;
  /** Resolves with the terminal event. Rejects if the connection is closed before. */
  readonly finished: Promise<TaskEvent>;
}

export interface Options {
  /** The URL of the stream. Default: "/api/sse/stream". */
  url?: string;
  /** The name of this stream. Default: a new UUID. Streams with different names are not shared. */
  requestId?: string;
  /** Whether the tabs of this browser share one stream. Default: true. */
  share?: boolean;
  /** Makes the worker, for pages that a bundler has packed: see docs/frontend.md. */
  worker?: () => SharedWorker;
  /** The id after which the first stream begins, such as `last_event_id` of `GET /api/tasks`. */
  lastEventId?: string;
  /** Whether cookies are sent to another origin. Default: false. */
  withCredentials?: boolean;
  /** Headers of the stream's requests, such as Authorization. A stream with headers is not shared. */
  headers?: () => Record<string, string>;
  /** Whether to connect at once. Default: true; otherwise `reconnect()` connects. */
  autoConnect?: boolean;
  /** How long `waiting` lasts before it is `lost`, in seconds. Default: 10. */
  graceSeconds?: number;
  /** The URL of the tasks, from which `task(id)` reads a status. Default: "/api/tasks" of `url`. */
  tasksUrl?: string;
}

export interface Connection {
  readonly state: State;
  readonly detail: StateDetail;
  /** The id of the last event that was given to handlers, or of a later heartbeat. */
  readonly lastEventId: string;
  /** The name of the stream, to which a server can send; empty until it is known. */
  readonly requestId: string;
  /** How the stream is held: in a worker, by the tabs in turn, by this page alone, or not yet. */
  readonly sharing: "worker" | "leader" | "direct" | "";
  /** The data of the last `version`; undefined until there was one. */
  readonly version: any;
  /** Call a handler for each event of a name. A late handler of `version` gets the last one. */
  on(name: string, handler: Handler): () => void;
  /** Call a handler with the present state, and with each change. */
  onState(handler: (state: State, detail: StateDetail) => void): () => void;
  /** Call a handler for every event, whatever its name, before the other handlers. */
  tap(handler: (event: StreamEvent) => void): () => void;
  task(id: string): Task;
  /** Connect now, instead of after the pause. Does nothing while open. Works after a close, too. */
  reconnect(): void;
  /** Leave the stream. It ends when no tab uses it. */
  close(): void;
}

/** Open the stream, or join the one that other tabs have opened. */
export function connect(options?: Options): Connection;
