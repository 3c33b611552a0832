// The page Tasks: it starts tasks, and shows what becomes of them.

import { element, request, showError, stream } from "./page.js";
import { TaskForm } from "./tasks-form.js";
import { PAGE, TaskListView } from "./tasks-list.js";
import { isOver, TaskModel } from "./tasks-model.js";
import { inWords, STATES } from "./tasks-words.js";
import { counted } from "./words.js";

const find = (id) => document.querySelector(`#${id}`);

const model = new TaskModel();
const view = new TaskListView(find("task-list"), model, { cancel, retry, remove });
const form = new TaskForm(find("start"), start);
const own = new Set(); // The tasks that this page has started: only their ends are spoken.

// ------------------------------------------------------------------ the list and the stream

const AGAIN = 5_000; // Milliseconds until a list is read again that lacks the tasks of a server.

let isIncomplete = false; // A server of several did not answer, so its tasks are missing.
let again = 0; // Nothing tells the page that the server answers again.
let next = null; // The server's place of the next page of the list.
let isLoading = false;
let isStale = false; // A further load is needed after the present one.
let wasReadWhileOpen = false;

// An event that comes after the list was read must not be missed. So the list is read when the
// stream is open. It is read before, too, as a stream may take its time, or not open at all.
stream.on("task_event", (data, event) => {
  if (!model.apply(data, event.id)) lookUp(data.task_id);
  view.schedule();
  if (own.has(data?.task_id)) speakOfEnd(data.task_id);
});
stream.on("resync", load);
stream.onState((state) => {
  if (state === "open" && !wasReadWhileOpen) load();
});
if (!isLoading) load();

async function load() {
  isStale = true;
  if (isLoading) return;
  isLoading = true;
  clearTimeout(again);
  try {
    while (isStale) {
      isStale = false;
      await readList(stream.state === "open");
    }
    if (isIncomplete) again = setTimeout(load, AGAIN);
    find("list-problem").hidden = true;
    find("task-list").removeAttribute("aria-busy");
  } catch (error) {
    showListProblem(error);
  } finally {
    isLoading = false;
  }
}

/** Read as much of the list as is shown. */
async function readList(isOpen) {
  const mark = model.mark;
  const first = await readPage(null);
  const tasks = first.tasks;
  isIncomplete = first.incomplete;
  let place = first.next;
  while (place !== null && tasks.length < view.room) {
    const page = await readPage(place);
    tasks.push(...page.tasks);
    place = page.next;
  }
  next = place;
  model.replace(tasks, first.last_event_id, mark);
  if (isOpen) wasReadWhileOpen = true;
  view.schedule(true);
}

function readPage(place) {
  const before = place === null ? "" : `&before=${encodeURIComponent(place)}`;
  return request("GET", `/tasks?limit=${PAGE}${before}`);
}

async function loadMore() {
  const button = find("more");
  button.setAttribute("aria-disabled", "true");
  try {
    view.showMore();
    const wanted = view.room;
    while (next !== null && view.matching < wanted) {
      const mark = model.mark;
      const page = await readPage(next);
      model.merge(page.tasks, page.last_event_id, mark);
      next = model.isTrimmed ? null : page.next;
    }
    view.schedule(true);
  } catch (error) {
    showListProblem(error);
  } finally {
    button.removeAttribute("aria-disabled");
  }
}

function showListProblem(error) {
  find("list-problem-text").textContent = `The list could not be read. ${inWords(error)}`;
  find("list-problem").hidden = false;
}

const unknown = new Set(); // Tasks that run and are not in the list, as they are on a later page.

/** Add a task that is known only from its progress. */
async function lookUp(id) {
  if (unknown.has(id) || isLoading) return; // The list that is being read may have it.
  unknown.add(id);
  try {
    await add(id);
  } catch {
    // It is over and forgotten, or the server is away: then the list is read again anyway.
  } finally {
    unknown.delete(id);
  }
}

async function add(id) {
  const mark = model.mark;
  const task = await request("GET", `/tasks/${encodeURIComponent(id)}/status`);
  model.merge([task], task.last_event_id, mark);
  view.schedule();
}

// ------------------------------------------------------------------ the actions

async function start(type, params) {
  await follow(type, await request("POST", "/tasks", { task_type: type, params }));
}

/** Show a task that this page has started. */
async function follow(type, { task_id: id }) {
  own.add(id);
  speak(`${type} has started.`);
  // The answer has no times, and a task that waits for others has no event.
  await add(id).catch(showError);
  speakOfEnd(id);
}

/** Return the path of a task. Its id may come from an event, and could lead elsewhere. */
function pathOf({ id }) {
  return `/tasks/${encodeURIComponent(id)}`;
}

async function cancel(task) {
  await request("POST", `${pathOf(task)}/cancel`);
}

async function retry(task) {
  try {
    await follow(task.type, await request("POST", `${pathOf(task)}/retry`));
  } catch (error) {
    // 409: params are missing. 400: they are not valid any more. A person can mend both.
    if (error.status !== 409 && error.status !== 400) throw error;
    const { params } = await request("GET", `${pathOf(task)}/params`);
    form.fill(task.type, params ?? {}, error);
  }
}

async function remove(task) {
  await request("DELETE", pathOf(task)).catch((error) => {
    if (error.status !== 404) throw error; // It is gone already, which is what was asked for.
  });
  view.focusBeside(task.id);
  model.remove(task.id);
  view.schedule();
}

/** Say something to people who do not see the page. */
function speak(text) {
  find("spoken").textContent = text;
}

function speakOfEnd(id) {
  const task = model.tasks.get(id);
  if (task === undefined || !isOver(task.status)) return;
  own.delete(id);
  speak(`${task.type}: ${STATES[task.status]}.`);
}

// ------------------------------------------------------------------ the filter

function filter() {
  view.filter({
    state: find("filter-state").value,
    type: find("filter-type").value,
    text: find("filter-text").value,
  });
}

view.onDraw = (shown, matching) => {
  const known = model.tasks.size;
  const more = next !== null ? " There are older ones." : "";
  const all = counted(known, "task");
  const words = matching === known ? all : `${matching} of ${all} match`;
  const part = shown < matching ? `, ${shown} are shown` : "";
  const missing = isIncomplete ? " A server does not answer; its tasks are missing." : "";
  find("list-count").textContent = `${words}${part}.${more}${missing}`;
  find("more").hidden = (shown === matching && next === null) || view.isFull;
  find("list-limit").hidden = !(view.isFull && shown < matching) && !model.isTrimmed;
  find("list-empty").hidden = shown > 0;
  const none = isIncomplete
    ? "The servers that answer have no tasks."
    : "There are no tasks. Start one with the form.";
  find("list-empty").textContent = known > 0 ? "No task matches the filter." : none;
  offerSeenTypes();
};

const offered = new Set();

function offerSeenTypes() {
  for (const { type } of model.tasks.values()) offerType(type);
}

function offerType(type) {
  if (type === "" || offered.has(type) || offered.size >= 1000) return;
  offered.add(type);
  find("filter-type").append(element("option", { value: type, dir: "auto" }, type));
}

// ------------------------------------------------------------------ the types

async function loadTypes() {
  try {
    const { task_types: types } = await request("GET", "/task-types");
    for (const { name } of types) offerType(name);
    form.offer(types);
    find("start").removeAttribute("aria-busy");
    find("types-problem").hidden = true;
  } catch (error) {
    find("types-problem-text").textContent = `The task types could not be read. ${inWords(error)}`;
    find("types-problem").hidden = false;
  }
}

for (const name of ["filter-state", "filter-type"]) find(name).addEventListener("change", filter);
find("filter-text").addEventListener("input", filter);
find("more").addEventListener("click", loadMore);
find("list-again").addEventListener("click", load);
find("types-again").addEventListener("click", loadTypes);
loadTypes();
