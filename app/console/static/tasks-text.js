// Long texts: their beginning, and the rest on demand.

import { element } from "./page.js";
import { size } from "./words.js";

const SHOWN_CHARACTERS = 200;
const SHOWN_RESULT = 20_000;
const MOST_SHOWN = 1_000_000; // A page with more text than this is slow. The rest is downloaded.

/** Return the first characters of a text, without half a surrogate pair at the end. */
export function beginning(text, count) {
  const isHalf = count < text.length && /[\uD800-\uDBFF]/.test(text[count - 1]);
  return text.slice(0, isHalf ? count - 1 : count);
}

/** A text on the page that changes, such as that of a progress. */
export class ShortText {
  #text = "";
  #isWhole = false;
  #words = element("span", { dir: "auto", class: "task-words" });
  #button = element("button", { type: "button", class: "button task-small", hidden: true });

  constructor(name) {
    this.node = element("p", { class: name, hidden: true }, this.#words, this.#button);
    this.#button.addEventListener("click", () => {
      this.#isWhole = !this.#isWhole;
      this.#show();
    });
  }

  set(text) {
    if (text === this.#text) return;
    this.#text = text;
    this.#show();
  }

  #show() {
    const isLong = this.#text.length > SHOWN_CHARACTERS;
    const shown = this.#isWhole ? this.#text : beginning(this.#text, SHOWN_CHARACTERS);
    this.#words.textContent = isLong && !this.#isWhole ? `${shown}…` : shown;
    this.#button.textContent = this.#isWhole ? "Show less" : "Show all";
    this.#button.hidden = !isLong;
    this.node.hidden = this.#text === "";
  }
}

/** Copy a text, and say so on the button for a moment. */
export async function copy(text, button) {
  const name = button.textContent;
  let outcome = "Copied";
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    outcome = "Not allowed"; // By the browser: it wants https, or a permission.
  }
  if (button.dataset.name === undefined) button.dataset.name = name;
  button.textContent = outcome;
  setTimeout(() => {
    button.textContent = button.dataset.name;
  }, 1500);
}

/** Write a value as JSON. Marks that would turn the text around them are written as escapes. */
function asJson(value) {
  const escape = (mark) => `\\u${mark.charCodeAt(0).toString(16).padStart(4, "0")}`;
  const marks = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
  return JSON.stringify(value, null, 2).replace(marks, escape);
}

/** Return a JSON value as a text with buttons: show all, copy, download. */
export function longText(value, fileName) {
  const text = asJson(value);
  const shown = element("pre", { dir: "auto", tabindex: "0", "aria-label": fileName });
  shown.textContent = beginning(text, SHOWN_RESULT);
  const buttons = element("div", { class: "toolbar" });
  if (text.length > SHOWN_RESULT) buttons.append(showAll(text, shown));
  buttons.append(
    button("Copy", (event) => copy(text, event.currentTarget)),
    button("Download", () => download(text, fileName)),
  );
  return [shown, buttons];
}

function showAll(text, shown) {
  const isHuge = text.length > MOST_SHOWN;
  const name = isHuge ? `Show the first ${size(MOST_SHOWN)}` : "Show all";
  const made = button(`${name} of ${size(text.length)}`, () => {
    shown.textContent = beginning(text, MOST_SHOWN);
    made.remove();
    shown.focus();
  });
  return made;
}

function button(name, onclick) {
  return element("button", { type: "button", class: "button task-small", onclick }, name);
}

function download(text, fileName) {
  const url = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  element("a", { href: url, download: fileName }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000); // The browser reads it after this turn.
}
