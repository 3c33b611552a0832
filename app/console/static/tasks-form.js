// The form that starts a task. It is made from the params of the chosen type.

import { element } from "./page.js";
import { Field, FieldProblem } from "./tasks-field.js";
import { inWords } from "./tasks-words.js";

const MORE = {
  name: "",
  label: "Other params",
  help: "A JSON object. The names are those of the params.",
  kind: "json",
  required: false,
  nullable: false,
  secret: true, // Nobody knows what is in it.
};

const UNKNOWN_OUTCOME =
  "The server does not answer, so it is unknown whether the task has started. What you have typed" +
  " is still here. Look at the list before you start the task again.";

export class TaskForm {
  #node;
  #start;
  #types = new Map(); // The descriptions of the types by name.
  #fields = [];
  #typed = new Map(); // What was typed for other types, without secrets.
  #shownType = "";
  #isBusy = false;

  /**
   * @param node the form of the page.
   * @param start starts a task: it is called with the type and the params, and may fail.
   */
  constructor(node, start) {
    this.#node = node;
    this.#start = start;
    this.#menu.addEventListener("change", () => this.#show(this.#menu.value));
    node.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
  }

  get #menu() {
    return this.#node.querySelector("#task-type");
  }

  /** Offer the types that the server has. */
  offer(types) {
    this.#types = new Map(types.map((type) => [type.name, type]));
    this.#menu.replaceChildren(
      ...types.map(({ name }) => element("option", { value: name, dir: "auto" }, name)),
    );
    if (types.length > 0) this.#show(types[0].name);
  }

  /** Show the params of an earlier start, and why they cannot be sent as they are. */
  fill(type, params, error) {
    if (!this.#types.has(type)) {
      this.complain(`The server has no task type ${type} any more.`);
      return;
    }
    this.#menu.value = type;
    this.#show(type);
    const others = { ...params };
    for (const field of this.#fields) {
      field.reset();
      if (field.name === "" || !Object.hasOwn(params, field.name)) continue;
      field.value = params[field.name];
      delete others[field.name];
    }
    const more = this.#fields.find((field) => field.name === "");
    if (more !== undefined && Object.keys(others).length > 0) more.value = others;
    const secret = this.#fields.find((field) => field.isSecret && field.name !== "");
    (secret ?? this.#fields[0] ?? this.#menu).focus();
    this.showError(error);
  }

  /** Show an error: each fault at its field, and the others above the button. */
  showError(error) {
    const others = [];
    const faults = new Map();
    for (const { loc = [], msg } of error.details ?? []) {
      const field = this.#fields.find(({ name }) => name !== "" && name === loc[0]);
      const place = field === undefined ? loc : loc.slice(1);
      const text = place.length > 0 ? `${place.join(" → ")}: ${msg}` : msg;
      if (field === undefined) others.push(text);
      else faults.set(field, [...(faults.get(field) ?? []), text]);
    }
    const message = error.status === 0 ? UNKNOWN_OUTCOME : inWords(error);
    this.complain([message, ...others].join("\n"));
    for (const [field, texts] of faults) field.complain(texts.join("\n"));
    faults.keys().next().value?.focus();
  }

  /** Show a message above the button, and nothing at the fields. */
  complain(message) {
    const problem = this.#node.querySelector("#start-problem");
    problem.textContent = message;
    problem.hidden = message === "";
    for (const field of this.#fields) field.complain("");
  }

  #show(name) {
    const type = this.#types.get(name);
    const typed = this.#fields.filter((field) => !field.isSecret);
    this.#typed.set(this.#shownType, new Map(typed.map((field) => [field.name, field.typed])));
    this.#shownType = name;
    this.#node.querySelector("#task-help").textContent = type.help;
    const forms = type.accepts_more ? [...type.fields, MORE] : type.fields;
    this.#fields = forms.map((form, number) => new Field(form, `param-${number}`));
    const before = this.#typed.get(name);
    for (const field of this.#fields) {
      if (before?.has(field.name)) field.typed = before.get(field.name);
    }
    const place = this.#node.querySelector("#task-fields");
    place.replaceChildren(...this.#fields.map((field) => field.node));
    this.complain("");
  }

  async #submit() {
    if (this.#isBusy || this.#shownType === "") return;
    this.complain("");
    const params = this.#read();
    if (params === null) return;
    const button = this.#node.querySelector("button[type=submit]");
    this.#isBusy = true;
    button.textContent = "Starting…";
    try {
      await this.#start(this.#shownType, params);
      for (const field of this.#fields) if (field.isSecret && field.name !== "") field.reset();
    } catch (error) {
      this.showError(error);
    } finally {
      this.#isBusy = false;
      button.textContent = "Start";
    }
  }

  /** Return the params; null if a text cannot be sent, which its field says. */
  #read() {
    const params = {};
    let wrong = null;
    for (const field of this.#fields) {
      try {
        const value = field.read();
        if (value === undefined) continue;
        if (field.name !== "") setOwn(params, field.name, value);
        else for (const name of Object.keys(asObject(value))) setOwn(params, name, value[name]);
      } catch (error) {
        if (!(error instanceof FieldProblem)) throw error;
        field.complain(error.message);
        wrong ??= field;
      }
    }
    wrong?.focus();
    return wrong === null ? params : null;
  }
}

/** Set a member, also one with the name `__proto__`. */
function setOwn(object, name, value) {
  Object.defineProperty(object, name, { value, enumerable: true, configurable: true });
}

function asObject(value) {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  throw new FieldProblem('Write a JSON object, such as {"name": 1}.');
}
