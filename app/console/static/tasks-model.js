// The tasks that the page knows: what the server has listed, and what events have changed since.
//
// Each call sets a state and never counts. So no harm is done if an event comes twice, in the list
// and from the stream. Three rules keep a task from going back:
//
// - A task that is over stays as it is.
// - An event that the list contains already, by its id, changes nothing but the end of a task.
// - What an event has changed while a list was on its way is newer than the list, unless the list
//   contains the event.

const MOST_TASKS = 2000;
const TRIMMED_AT = MOST_TASKS + 200; // Not for every single task: trimming sorts.
const SAMPLE_SECONDS = 30; // The rate of a task is that of this time.
const MOST_SAMPLES = 12;

const STEPS = { pending: 0, running: 1, completed: 2, failed: 2, cancelled: 2 };
const ENDS = {
  task_completed: "completed",
  task_failed: "failed",
  task_cancelled: "cancelled",
};

/** Return whether a task with this status is over. */
export const isOver = (status) => STEPS[status] === 2;

/** Return whether the list that ended at a cursor contains the event with an id. */
export function isListed(id, cursor) {
  const [event, list] = [id, cursor].map((text) => /^(.+)-(\d+)$/.exec(text ?? ""));
  return event !== null && list !== null && event[1] === list[1] && +event[2] <= +list[2];
}

/** Return a time in seconds, with the microseconds that a Date would drop: they order the list. */
function seconds(time) {
  const fraction = /\.\d+/.exec(time)?.[0] ?? "";
  return Date.parse(time.replace(fraction, "")) / 1000 + Number(`0${fraction}`);
}

/** Return whether the data of an event has what every event of a task has. */
function isOfTask(data) {
  const parts = [data?.task_id, data?.event_type, data?.timestamp];
  return parts.every((part) => typeof part === "string") && !Number.isNaN(seconds(data.timestamp));
}

/** Return a text of an event: other JSON as it is written, and nothing for null. */
function textOf(value) {
  return typeof value === "string" ? value : JSON.stringify(value ?? "").replace(/^""$/, "");
}

/** Return whether an event has changed a task since the list was read that ended at a cursor. */
function isNewer(task, mark, cursor) {
  return task.touched > mark && !isListed(task.eventId, cursor);
}

export class TaskModel {
  /** The tasks by id. */
  tasks = new Map();
  /** The ids of the tasks that have changed since `takeChanges`. */
  #changed = new Set();
  #hasNewOrder = true;
  #cursor = null; // Where the last complete list ended.
  #changes = 0; // Counts the changes by events, to compare them with the time of a list.
  #order = [];
  /** Whether older tasks were forgotten, because there are too many. */
  isTrimmed = false;

  /** A mark of this time. What changes later is newer than a list that is requested now. */
  get mark() {
    return this.#changes;
  }

  /** Return the ids of the tasks that have changed since the last call, and whether one is new. */
  takeChanges() {
    const changes = { ids: this.#changed, hasNewOrder: this.#hasNewOrder };
    this.#changed = new Set();
    this.#hasNewOrder = false;
    return changes;
  }

  /** The tasks, newest first. */
  get newestFirst() {
    if (this.#order.length === 0) {
      this.#order = [...this.tasks.values()].sort((a, b) => b.created - a.created || b.nth - a.nth);
    }
    return this.#order;
  }

  /** Take a `task_event`. Returns false for a task of which too little is known to show it. */
  apply(data, id) {
    if (!isOfTask(data)) return true; // Everybody who publishes events may publish such a one.
    const known = this.tasks.get(data.task_id);
    const end = ENDS[data.event_type];
    if (isListed(id, known === undefined ? this.#cursor : known.cursor)) {
      if (known === undefined || end === undefined) return true;
    }
    if (known === undefined && data.event_type !== "task_started") return end !== undefined;
    const task = known ?? this.#add(data.task_id, textOf(data.data?.task_type), seconds(data.timestamp));
    if (isOver(task.status)) return true;
    task.touched = ++this.#changes;
    task.eventId = id;
    if (end !== undefined) this.#end(task, end, data);
    else this.#goOn(task, data);
    this.#changed.add(task.id);
    return true;
  }

  /**
   * Take a page of the server's list.
   *
   * @param tasks the tasks of the page.
   * @param cursor the id of the last event before the list was read.
   * @param mark the `mark` at the time of the request.
   */
  merge(tasks, cursor, mark) {
    for (const listed of tasks) {
      const known = this.tasks.get(listed.task_id);
      const task = known ?? this.#add(listed.task_id, listed.task_type, seconds(listed.created_at));
      if (task.created !== seconds(listed.created_at)) this.#reorder();
      task.type = listed.task_type;
      task.created = seconds(listed.created_at);
      task.started = listed.started_at ?? task.started;
      task.cursor = cursor;
      if (STEPS[listed.status] > STEPS[task.status]) task.status = listed.status;
      if (isOver(listed.status)) task.finished = listed.finished_at;
      const isLate = !isOver(listed.status) && isNewer(task, mark, cursor);
      if (!isLate) task.progress = listed.progress;
      task.error = listed.error ?? task.error;
      this.#changed.add(task.id);
    }
    this.#trim();
  }

  /** Take the beginning of a complete list: tasks that are not in it are forgotten. */
  replace(tasks, cursor, mark) {
    const listed = new Set(tasks.map((task) => task.task_id));
    for (const task of this.tasks.values()) {
      if (!listed.has(task.id) && !isNewer(task, mark, cursor)) this.remove(task.id);
    }
    this.isTrimmed = false;
    this.#cursor = cursor;
    this.merge(tasks, cursor, mark);
  }

  /** Forget a task. */
  remove(id) {
    if (this.tasks.delete(id)) this.#reorder();
  }

  #add(id, type, created) {
    const task = {
      id,
      type: type ?? "",
      status: "pending",
      created,
      nth: ++this.#changes, // Of two tasks of the same time, the one that came later is newer.
      started: null,
      finished: null,
      progress: { text: "", value: 0 },
      error: null,
      touched: 0, // The number of the last change by an event, and the id of the event.
      eventId: "",
      cursor: null,
      samples: [],
    };
    this.tasks.set(id, task);
    this.#reorder();
    if (this.tasks.size > TRIMMED_AT) this.#trim();
    return task;
  }

  #reorder() {
    this.#order = [];
    this.#hasNewOrder = true;
  }

  #goOn(task, data) {
    if (task.status !== "running") this.#hasNewOrder = true; // A filter may show it now.
    task.status = "running";
    if (data.event_type === "task_started") task.started = data.timestamp;
    else {
      const value = Math.min(Math.max(Number(data.data?.value) || 0, 0), 1);
      task.progress = { text: textOf(data.data?.text), value };
      sample(task, seconds(data.timestamp));
    }
  }

  #end(task, status, data) {
    this.#hasNewOrder = true;
    task.status = status;
    task.finished = data.timestamp;
    task.error = textOf(data.data?.error) || null;
    task.samples = [];
  }

  /** Forget the oldest tasks that are over, and then other old ones, if there are too many. */
  #trim() {
    if (this.tasks.size <= MOST_TASKS) return;
    const oldest = [...this.newestFirst].reverse();
    const order = [...oldest.filter((task) => isOver(task.status)), ...oldest];
    for (const task of order) {
      if (this.tasks.size <= MOST_TASKS) break;
      this.tasks.delete(task.id);
    }
    this.isTrimmed = true;
    this.#reorder();
  }
}

/** Remember how far a task was, by the server's clock. The first sample is its beginning. */
function sample(task, time) {
  const { samples } = task;
  if (samples.length === 0 && task.started !== null) {
    samples.push({ time: seconds(task.started), value: 0, seen: performance.now() });
  }
  const last = samples.at(-1);
  const shown = { time, value: task.progress.value, seen: performance.now() };
  // Samples are some time apart, so that a few of them reach back far enough.
  const isClose = samples.length > 1 && time - samples.at(-2).time < SAMPLE_SECONDS / MOST_SAMPLES;
  if (isClose || last?.time === time) samples[samples.length - 1] = shown;
  else samples.push(shown);
  while (samples.length > 2 && time - samples[1].time > SAMPLE_SECONDS) samples.shift();
}

/** Return the seconds that a running task still needs, from its rate; NaN if that is unknown. */
export function secondsLeft(task, now = performance.now()) {
  const [first, last] = [task.samples[0], task.samples.at(-1)];
  if (task.status !== "running" || first === undefined || first === last) return NaN;
  const [time, part] = [last.time - first.time, last.value - first.value];
  if (time <= 0 || part <= 0 || last.value >= 1) return NaN;
  const left = ((1 - last.value) * time) / part - (now - last.seen) / 1000;
  return left > 0 ? left : NaN; // Slower than estimated: nothing is known any more.
}
