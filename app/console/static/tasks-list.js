// The list of tasks on the page: the rows that the filter lets through, drawn once per frame.

import { isOver } from "./tasks-model.js";
import { TaskRow } from "./tasks-row.js";

export const PAGE = 50;
const MOST_ROWS = 500;
const TICK = 1000; // The time left is told once a second, in milliseconds.

export class TaskListView {
  #model;
  #actions;
  #node;
  #rows = new Map(); // By the id of the task.
  #isScheduled = false;
  #isStale = false; // The filter or the number of rows has changed.
  #filter = { state: "", type: "", text: "" };
  /** How many rows may be shown. */
  room = PAGE;
  /** Called after each drawing with the number of rows, and of tasks that match the filter. */
  onDraw = (_shown, _matching) => {};

  constructor(node, model, actions) {
    this.#node = node;
    this.#model = model;
    this.#actions = actions;
    setInterval(() => this.#tick(), TICK);
  }

  /** Whether as many rows are shown as the page can bear. */
  get isFull() {
    return this.room >= MOST_ROWS;
  }

  /** The number of tasks that the filter lets pass. */
  get matching() {
    return this.#model.newestFirst.filter((task) => this.#matches(task)).length;
  }

  filter(filter) {
    this.#filter = { ...filter, text: filter.text.trim().toLowerCase() };
    this.room = PAGE;
    this.schedule(true);
  }

  showMore() {
    this.room = Math.min(this.room + PAGE, MOST_ROWS);
    this.schedule(true);
  }

  /** Draw in the next frame. Thousands of events before that are drawn together. */
  schedule(isStale = false) {
    this.#isStale ||= isStale;
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    requestAnimationFrame(() => {
      this.#isScheduled = false;
      this.#draw();
    });
  }

  /** Give the focus to the row after a task, or before it, as its own row goes away. */
  focusBeside(id) {
    const row = this.#rows.get(id)?.node;
    const next = row?.nextElementSibling ?? row?.previousElementSibling ?? this.#node;
    if (row?.contains(document.activeElement)) next.focus();
  }

  #draw() {
    const { ids, hasNewOrder } = this.#model.takeChanges();
    for (const id of ids) this.#rows.get(id)?.update();
    // A filter by text looks at what each event changes.
    if (!hasNewOrder && !this.#isStale && this.#filter.text === "") return;
    this.#isStale = false;
    const matching = this.#model.newestFirst.filter((task) => this.#matches(task));
    const shown = matching.slice(0, this.room);
    this.#place(shown);
    this.onDraw(shown.length, matching.length);
  }

  /** Put the rows of some tasks into the list, and move no row that is in its place already. */
  #place(tasks) {
    const ids = new Set(tasks.map((task) => task.id));
    for (const [id, row] of this.#rows) {
      if (ids.has(id)) continue;
      row.node.remove();
      this.#rows.delete(id);
    }
    let here = this.#node.firstElementChild;
    for (const task of tasks) {
      const { node } = this.#rowOf(task);
      if (node === here) here = here.nextElementSibling;
      else this.#node.insertBefore(node, here);
    }
  }

  #rowOf(task) {
    let row = this.#rows.get(task.id);
    if (row === undefined || !row.shows(task)) {
      row?.node.remove(); // The task was forgotten and has come back.
      row = new TaskRow(task, this.#actions);
      this.#rows.set(task.id, row);
    }
    return row;
  }

  #matches(task) {
    const { state, type, text } = this.#filter;
    const stateMatches =
      state === "" || (state === "unfinished" ? !isOver(task.status) : task.status === state);
    if (!stateMatches || (type !== "" && task.type !== type)) return false;
    if (text === "") return true;
    const words = [task.id, task.type, task.progress.text, task.error ?? ""];
    return words.some((word) => word.toLowerCase().includes(text));
  }

  #tick() {
    if (!document.hidden) for (const row of this.#rows.values()) row.tick();
  }
}
