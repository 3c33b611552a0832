// One param of a task as a field of a form.

import { element } from "./page.js";

const NUMBER = /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i;
const UNSET = "unset";

/** What was typed cannot be sent. The message says what to do. */
export class FieldProblem extends Error {}

export class Field {
  #form; // How the server describes the param.
  #control;
  #problem;
  #original; // What the field showed before anybody typed.

  /**
   * @param form the description of the param, of `GET /console/api/task-types`.
   * @param id the id of its control.
   */
  constructor(form, id) {
    this.#form = form;
    this.#control = control(form, id);
    this.#problem = element("p", { class: "field-error", id: `${id}-problem`, hidden: true });
    const help = element("p", { class: "field-help", id: `${id}-help`, dir: "auto" });
    help.textContent = [form.help, limits(form)].filter(Boolean).join(" ");
    this.#control.setAttribute("aria-describedby", `${id}-problem ${id}-help`);
    const label = element("label", { for: id }, form.label);
    if (form.required) label.append(element("span", { class: "muted" }, " (required)"));
    this.node = element("div", { class: "field" });
    if (form.kind === "boolean" && !form.nullable) this.node.classList.add("task-check");
    this.node.append(label, this.#control, help, this.#problem);
    this.#original = this.typed;
  }

  get name() {
    return this.#form.name;
  }

  get isSecret() {
    return this.#form.secret;
  }

  /** What the control shows, to be restored later. */
  get typed() {
    return this.#control.type === "checkbox" ? this.#control.checked : this.#control.value;
  }

  set typed(typed) {
    if (this.#control.type === "checkbox") this.#control.checked = typed;
    else this.#control.value = typed;
  }

  /** Show a value, for example the one of an earlier start. */
  set value(value) {
    this.typed = shown(this.#form, value);
  }

  /** Show what the field showed before anybody typed. */
  reset() {
    this.typed = this.#original;
  }

  focus() {
    this.#control.focus();
  }

  /** Show what is wrong with the value; nothing if the message is empty. */
  complain(message) {
    this.#problem.textContent = message;
    this.#problem.hidden = message === "";
    if (message === "") this.#control.removeAttribute("aria-invalid");
    else this.#control.setAttribute("aria-invalid", "true");
  }

  /**
   * Return the value; undefined if the param is not sent, so that the server uses its default.
   *
   * @throws {FieldProblem} the text is not JSON.
   */
  read() {
    const { kind, required, nullable } = this.#form;
    const typed = this.typed;
    if (typeof typed === "boolean") return required || typed !== this.#original ? typed : undefined;
    if (!required && typed === this.#original) return undefined;
    if (choicesOf(this.#form) !== null) return typed === UNSET ? undefined : JSON.parse(typed);
    if (kind === "string") return typed === "" && nullable ? null : typed;
    if (typed.trim() === "") {
      if (nullable) return null;
      return this.#original === "" ? undefined : ""; // The server says what it misses.
    }
    if (kind === "json" || kind === "any") return parse(typed, kind);
    return numberOf(typed.trim());
  }
}

/** Return a number; or the text, if it is not one, or would be rounded. The server reads it then. */
function numberOf(text) {
  const isLarge = /^[-+]?\d+$/.test(text) && !Number.isSafeInteger(Number(text));
  return NUMBER.test(text) && !isLarge ? Number(text) : text;
}

/** Return the value of a JSON text. Where any value is accepted, other text is a string. */
function parse(text, kind) {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (kind === "any") return text;
    throw new FieldProblem(`This is not JSON: ${error.message}. Write for example ["a", 1].`);
  }
}

/** Return what a control shows for a value. */
function shown(form, value) {
  if (choicesOf(form) !== null) return value === undefined ? UNSET : JSON.stringify(value);
  if (form.kind === "boolean") return value === true;
  if (value === undefined || value === null) return "";
  if (typeof value === "string" && form.kind !== "json") return value;
  return JSON.stringify(value, null, typeof value === "object" ? 2 : undefined);
}

/** Return the values of a field from which one is chosen; null for other fields. */
function choicesOf(form) {
  if (form.kind === "boolean" && form.nullable) return [null, true, false];
  if (form.kind !== "choice") return null;
  return form.nullable ? [null, ...form.choices] : form.choices;
}

function control(form, id) {
  const value = shown(form, form.default);
  const choices = choicesOf(form);
  if (choices !== null) return menu(form, id, choices, value);
  if (form.kind === "boolean") {
    return element("input", { id, type: "checkbox", checked: value });
  }
  const isLong = form.kind === "json" || value.includes("\n");
  const made = isLong
    ? element("textarea", { id, rows: 3, spellcheck: "false", class: "task-json" })
    : element("input", { id, type: form.secret ? "password" : "text", spellcheck: "false" });
  made.setAttribute("autocomplete", form.secret ? "new-password" : "off");
  if (form.kind === "integer") made.setAttribute("inputmode", "numeric");
  if (form.kind === "number") made.setAttribute("inputmode", "decimal");
  if (form.example !== undefined) made.placeholder = `for example ${shown(form, form.example)}`;
  if (form.required) made.setAttribute("aria-required", "true");
  made.dir = "auto";
  made.value = value;
  return made;
}

function menu(form, id, choices, value) {
  const made = element("select", { id });
  const unset = form.required ? "Choose…" : "(the server's default)";
  if (form.default === undefined) made.append(element("option", { value: UNSET }, unset));
  for (const choice of choices) {
    const name = typeof choice === "string" ? choice : JSON.stringify(choice);
    made.append(element("option", { value: JSON.stringify(choice), dir: "auto" }, name));
  }
  made.value = value;
  return made;
}

/** Return the limits of a value in words. */
function limits(form) {
  const { minimum, maximum, above, below, min_length: shortest, max_length: longest } = form;
  const words = [];
  if (minimum !== undefined && maximum !== undefined) words.push(`From ${minimum} to ${maximum}.`);
  else if (minimum !== undefined) words.push(`At least ${minimum}.`);
  else if (maximum !== undefined) words.push(`At most ${maximum}.`);
  if (above !== undefined) words.push(`More than ${above}.`);
  if (below !== undefined) words.push(`Less than ${below}.`);
  if (shortest > 1) words.push(`At least ${shortest} characters.`);
  if (longest !== undefined) words.push(`At most ${longest} characters.`);
  if (form.pattern !== undefined) words.push(`Pattern: ${form.pattern}`);
  if (form.format !== undefined && form.format !== "password") words.push(`A ${form.format}.`);
  if (form.kind === "json") words.push("Written as JSON.");
  if (form.kind === "any") words.push("JSON, or else text.");
  if (form.nullable && choicesOf(form) === null) words.push("May be empty.");
  return words.join(" ");
}
