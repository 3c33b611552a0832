// The events that a log keeps: bounded in number and in size, whatever the server sends.

export const ENTRIES = 1_000;
const CHARACTERS = 32_000_000; // Of all kept data together, so that large events stay bounded, too.
const OVERHEAD = 200; // The characters that an entry counts besides its data.

/** A list of the newest entries. What does not fit is dropped, the oldest first. */
export class Newest {
  #entries = [];
  #characters = 0;
  #drop;

  /** @param {(entry: any) => void} [drop] is called with each entry that is dropped */
  constructor(drop = () => {}) {
    this.#drop = drop;
  }

  get length() {
    return this.#entries.length;
  }

  add(entry) {
    this.#entries.push(entry);
    this.#characters += entry.event.text.length + OVERHEAD;
    while (this.#entries.length > ENTRIES || (this.#characters > CHARACTERS && this.length > 1)) {
      this.#drop(this.take());
    }
  }

  /** Remove and return the oldest entry; undefined if there is none. */
  take() {
    const entry = this.#entries.shift();
    if (entry !== undefined) this.#characters -= entry.event.text.length + OVERHEAD;
    return entry;
  }

  clear() {
    this.#entries = [];
    this.#characters = 0;
  }

  *[Symbol.iterator]() {
    yield* this.#entries;
  }
}

/** Which events a log shows. */
export class Filter {
  /** The name that is shown; empty: all names but the samples, which come every few seconds. */
  name = "";
  #text = "";

  set text(text) {
    this.#text = text.toLowerCase();
  }

  passes({ name, text, id }) {
    if (this.name === "" ? name === SAMPLES : name !== this.name) return false;
    if (this.#text === "") return true;
    return [text, name, id].some((part) => part.toLowerCase().includes(this.#text));
  }
}

/** The name of the events with which the page of operations is fed. */
export const SAMPLES = "operations_sample";
