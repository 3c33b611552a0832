// A log of events: filter, pause, clear, wrap and copy. It stays responsive at any rate: events are
// drawn in the frames of the browser, a few milliseconds of each, and what a newer event has pushed
// out before it could be drawn is counted as "not shown".

import { element } from "./page.js";
import { ENTRIES, Filter, Newest, SAMPLES } from "./events-entries.js";
import { rowOf } from "./events-row.js";
import { counted, number, shortened } from "./words.js";

const DRAW = 6; // Milliseconds of each frame.
const NAMES = 200; // In the list of seen names.
const NAME_CHARACTERS = 80;
const TYPING = 200; // Milliseconds after the last key before the text is looked for.
const COPIED_CHARACTERS = 20_000_000;

let logs = 0;

/** A log of events in an element of the page. Call `add` with each event. */
export class EventLog {
  #filter = new Filter();
  #seen = new Newest(); // All events, so that a changed filter finds earlier ones.
  #shown = new Newest((entry) => this.#remove(entry)); // Those that the filter passes.
  #pending = new Newest(() => (this.#skipped += 1)); // Those that are not drawn yet.
  #skipped = 0;
  #new = 0; // Since the pause.
  #isPaused = false;
  #quota = 0; // The entries that are drawn although the log is paused.
  #number = 0; // Of the newest entry.
  #frame = 0;
  #rows = new Map(); // The row of each drawn entry.
  #names = new Set();
  #parts;
  #onName;

  /**
   * @param {Element} target
   * @param {(name: string) => void} [onName] is called with each name that was not seen before
   */
  constructor(target, onName = () => {}) {
    this.#onName = onName;
    this.#parts = this.#build(target);
    this.#showStatus();
  }

  add(event) {
    const entry = { event, at: new Date(), number: (this.#number += 1) };
    this.#note(event.name);
    this.#seen.add(entry);
    if (!this.#filter.passes(event)) return;
    if (this.#isPaused) this.#new += 1;
    this.#pending.add(entry);
    this.#draw();
  }

  // ------------------------------------------------------------------ drawing

  #draw() {
    if (this.#frame === 0) this.#frame = requestAnimationFrame(() => this.#drawSome());
  }

  #drawSome() {
    this.#frame = 0;
    const end = performance.now() + DRAW;
    while (this.#mayDraw && performance.now() < end) {
      const entry = this.#pending.take();
      this.#quota -= this.#isPaused ? 1 : 0;
      const row = rowOf(entry, (text) => this.#copy(text, "the data"));
      this.#rows.set(entry, row);
      this.#parts.list.prepend(row);
      this.#shown.add(entry);
    }
    this.#showStatus();
    if (this.#mayDraw) this.#draw();
  }

  get #mayDraw() {
    return this.#pending.length > 0 && (!this.#isPaused || this.#quota > 0);
  }

  #remove(entry) {
    const row = this.#rows.get(entry);
    this.#rows.delete(entry);
    if (row?.contains(document.activeElement)) this.#parts.list.focus({ preventScroll: true });
    row?.remove();
  }

  #showStatus() {
    const words = [counted(this.#shown.length, "event")];
    if (this.#skipped > 0) words.push(`${number(this.#skipped)} not shown`);
    if (this.#isPaused) words.push(`paused: ${number(this.#new)} new`);
    const text = words.join(", ");
    if (this.#parts.status.textContent !== text) this.#parts.status.textContent = text;
  }

  /** Show what the filter passes now, of all events that are kept. */
  #refilter() {
    const known = new Set([...this.#shown, ...this.#pending, ...this.#seen]);
    this.#empty();
    const passed = [...known].filter(({ event }) => this.#filter.passes(event));
    passed.sort((a, b) => a.number - b.number);
    for (const entry of passed.slice(-ENTRIES)) this.#pending.add(entry);
    this.#quota = this.#pending.length;
    this.#draw();
  }

  #empty() {
    this.#parts.list.replaceChildren();
    this.#rows.clear();
    this.#shown.clear();
    this.#pending.clear();
    this.#new = 0;
  }

  // ------------------------------------------------------------------ names

  #note(name) {
    if (this.#names.has(name) || this.#names.size >= NAMES) return;
    this.#names.add(name);
    this.#onName(name);
    const label = shortened(name, NAME_CHARACTERS);
    const others = [...this.#parts.names.options].slice(1);
    const next = others.find((option) => option.textContent > label) ?? null;
    this.#parts.names.insertBefore(element("option", { value: name }, label), next);
  }

  // ------------------------------------------------------------------ buttons

  #pause() {
    this.#isPaused = !this.#isPaused;
    this.#new = this.#quota = 0;
    this.#parts.pause.textContent = this.#isPaused ? "Resume" : "Pause";
    this.#draw();
  }

  #clear() {
    this.#empty();
    this.#seen.clear();
    this.#skipped = 0;
    this.#showStatus();
  }

  #copyAll() {
    const lines = [];
    let characters = 0;
    for (const { event, at } of this.#shown) {
      lines.push([at.toISOString(), event.id, event.name, event.text].join("\t"));
      characters += event.text.length;
      if (characters > COPIED_CHARACTERS) break;
    }
    this.#copy(lines.join("\n"), counted(lines.length, "event"));
  }

  async #copy(text, what) {
    const isCopied = await copyText(text);
    this.#parts.told.textContent = isCopied
      ? `Copied ${what}.`
      : "The browser does not allow copying. Select the text, and copy it with the keyboard.";
  }

  // ------------------------------------------------------------------ elements

  #build(target) {
    const number = (logs += 1);
    const button = (text, act) => {
      const made = element("button", { class: "button", type: "button" }, text);
      made.addEventListener("click", act);
      return made;
    };
    const names = element("select", { id: `names-${number}` });
    names.append(element("option", { value: "" }, `All names but ${SAMPLES}`));
    names.addEventListener("change", () => {
      this.#filter.name = names.value;
      this.#refilter();
    });
    const text = element("input", { id: `text-${number}`, type: "search", autocomplete: "off" });
    let typing = 0;
    text.addEventListener("input", () => {
      clearTimeout(typing);
      typing = setTimeout(() => {
        this.#filter.text = text.value;
        this.#refilter();
      }, TYPING);
    });
    const list = element("ol", { class: "log-list", "aria-label": "Events", tabindex: "0" });
    const wrap = element("input", { id: `wrap-${number}`, type: "checkbox" });
    wrap.addEventListener("change", () => list.classList.toggle("wrap", wrap.checked));
    const pause = button("Pause", () => this.#pause());
    const field = (input, label, kind = "") => {
      const words = element("label", { for: input.id }, label);
      const parts = kind === "" ? [words, input] : [input, words];
      return element("div", { class: `field ${kind}` }, ...parts);
    };
    const toolbar = element(
      "div",
      { class: "toolbar" },
      field(names, "Name"),
      field(text, "Text"),
      pause,
      button("Clear", () => this.#clear()),
      button("Copy all", () => this.#copyAll()),
      field(wrap, "Wrap lines", "check"),
    );
    const status = element("p", { class: "log-status" });
    const told = element("p", { class: "visually-hidden", role: "status" });
    target.append(toolbar, status, told, list);
    return { names, pause, list, status, told };
  }
}

/** Copy a text. Returns false if the browser does not allow it. */
async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // There is no clipboard on plain http, except on localhost.
  }
  const area = element("textarea", { class: "visually-hidden" });
  const focused = document.activeElement;
  document.body.append(area);
  area.value = text;
  area.select();
  const isCopied = document.execCommand("copy");
  area.remove();
  focused?.focus();
  return isCopied;
}
