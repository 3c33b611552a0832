// One task in the list.

import { element, request } from "./page.js";
import { isOver, secondsLeft } from "./tasks-model.js";
import { copy, longText, ShortText } from "./tasks-text.js";
import { inWords, localTime, STATES, timeLeft } from "./tasks-words.js";
import { duration } from "./words.js";

const ID_CHARACTERS = 8;

export class TaskRow {
  #task;
  #actions;
  #type = element("h3", { dir: "auto", class: "task-type" });
  #state = element("span", { class: "badge task-state" });
  #progress = element("progress", { max: 1 });
  #percent = element("span", { class: "task-percent" });
  #left = element("span", { class: "task-left" });
  #bar = element("div", { class: "task-bar" }, this.#progress, this.#percent, this.#left);
  #text = new ShortText("task-text");
  #error = new ShortText("task-error");
  #times = element("p", { class: "task-times" });
  #problem = element("p", { class: "field-error", role: "alert", hidden: true });
  #cancel = this.#button("Cancel", "cancel", "danger");
  #retry = this.#button("Retry", "retry");
  #remove = this.#button("Remove", "remove");
  #result = details("Result", async () => {
    const { result, omitted } = await request("GET", `${this.#path}/status`);
    const parts = longText(result, `${this.#task.type}-${this.#task.id}.json`);
    return omitted ? [omittedNote(omitted), ...parts] : parts;
  });
  #params = details("Params", async () => {
    const { params, left_out: secrets } = await request("GET", `${this.#path}/params`);
    if (params === null) return [note("The server does not remember the params of this task.")];
    const parts = longText(params, `${this.#task.type}-${this.#task.id}-params.json`);
    if (secrets.length > 0) parts.unshift(note(`Secrets are not shown: ${secrets.join(", ")}.`));
    return parts;
  });

  /**
   * @param task the task, of the model.
   * @param actions `cancel`, `retry` and `remove`, each called with the task. They may fail.
   */
  constructor(task, actions) {
    this.#task = task;
    this.#actions = actions;
    const short = element("code", { title: task.id }, task.id.slice(0, ID_CHARACTERS));
    const copyId = element("button", { type: "button", class: "button task-small" }, "Copy id");
    copyId.addEventListener("click", () => copy(task.id, copyId));
    const head = element("div", { class: "task-head" }, this.#type, this.#state);
    head.append(element("span", { class: "task-id" }, short, " ", copyId));
    const buttons = element("div", { class: "toolbar" }, this.#cancel, this.#retry, this.#remove);
    this.node = element("li", { class: "card task", tabindex: "-1", "data-task": task.id });
    const foot = element("div", { class: "task-foot" }, this.#times, buttons);
    this.node.append(head, this.#bar, this.#text.node, this.#error.node, foot);
    this.node.append(this.#problem, this.#result, this.#params);
    this.update();
  }

  /** The path of the task. Its id may come from an event, and could lead elsewhere. */
  get #path() {
    return `/tasks/${encodeURIComponent(this.#task.id)}`;
  }

  /** Return whether this is the row of a task. */
  shows(task) {
    return this.#task === task;
  }

  /** Show the present state of the task. */
  update() {
    const task = this.#task;
    const over = isOver(task.status);
    setText(this.#type, task.type || "…");
    setText(this.#state, STATES[task.status]);
    if (this.node.dataset.state !== task.status) this.#problem.hidden = true; // It was of before.
    this.node.dataset.state = task.status;
    this.#bar.hidden = over;
    this.#progress.value = task.progress.value;
    this.#progress.setAttribute("aria-label", `Progress of ${task.type}`);
    setText(this.#percent, `${Math.floor(task.progress.value * 100)} %`);
    this.#text.set(task.status === "pending" ? "Waits for other tasks to end" : task.progress.text);
    this.#error.set(task.error ?? "");
    this.#showTimes();
    this.#showButtons(over);
    this.tick();
  }

  /** Show how much time is left now. */
  tick() {
    setText(this.#left, timeLeft(secondsLeft(this.#task)));
  }

  #showTimes() {
    const { started, finished } = this.#task;
    const key = `${started} ${finished}`;
    if (this.#times.dataset.shown === key) return;
    this.#times.dataset.shown = key;
    this.#times.replaceChildren();
    if (started !== null) this.#times.append("Started ", time(started), ". ");
    if (finished !== null) this.#times.append("Ended ", time(finished), ". ");
    if (started === null || finished === null) return;
    this.#times.append(`Took ${duration((Date.parse(finished) - Date.parse(started)) / 1000)}.`);
  }

  #showButtons(over) {
    const hadFocus = document.activeElement === this.#cancel && over;
    this.#cancel.hidden = over;
    this.#retry.hidden = this.#remove.hidden = !over;
    this.#result.hidden = this.#task.status !== "completed";
    if (hadFocus) this.#retry.focus(); // Else the focus would be lost with its button.
  }

  #button(name, action, kind = "") {
    const made = element("button", { type: "button", class: `button ${kind}` }, name);
    made.addEventListener("click", () => this.#act(made, action));
    return made;
  }

  async #act(button, action) {
    if (button.getAttribute("aria-disabled") === "true") return;
    button.setAttribute("aria-disabled", "true"); // Unlike disabled, it keeps the focus.
    this.#problem.hidden = true;
    try {
      await this.#actions[action](this.#task);
    } catch (error) {
      this.#problem.textContent = inWords(error);
      this.#problem.hidden = false;
    } finally {
      button.removeAttribute("aria-disabled");
    }
  }
}

/** Make a part that loads its content when it is opened, and forgets it when it is closed. */
function details(name, load) {
  const content = element("div", { class: "task-details" });
  const made = element("details", {}, element("summary", {}, name), content);
  made.addEventListener("toggle", async () => {
    content.replaceChildren();
    if (!made.open) return;
    content.append(note("Loading…"));
    let parts;
    try {
      parts = await load();
    } catch (error) {
      parts = [element("p", { class: "field-error", role: "alert" }, inWords(error))];
    }
    if (made.open) content.replaceChildren(...parts);
  });
  return made;
}

function omittedNote(names) {
  const [noun, verb] = names.length === 1 ? ["field", "is"] : ["fields", "are"];
  const some = names.slice(0, 10).join(", ") + (names.length > 10 ? ", …" : "");
  return note(`The server has not kept the ${noun} ${some}, which ${verb} too large.`);
}

function note(text) {
  return element("p", { class: "muted", dir: "auto" }, text);
}

function time(text) {
  return element("time", { datetime: text, title: text }, localTime(text));
}

function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}
