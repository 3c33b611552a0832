// One row of a log: an event in one line, and its data in full on demand. All of it is text.

import { parseExactly } from "./events-json.js";
import { element } from "./page.js";
import { shortened, size } from "./words.js";

const PREVIEW = 300; // Characters.
const FIRST = 20_000; // Characters of the data that is shown in full, before "Show all".
const encoder = new TextEncoder();

/** Return the data of an event, with indentation if it is a JSON object or array. */
function pretty({ data, text }) {
  if (typeof data !== "object" || data === null) return text;
  return JSON.stringify(parseExactly(text), null, 2);
}

/** Return the data of an event for one line. */
function oneLine(text) {
  return shortened(text.slice(0, PREVIEW + 1), PREVIEW).replace(/\s+/g, " ") || "(no data)";
}

/**
 * Make the row of an entry.
 *
 * @param {{event: import("/static/sse-client.js").StreamEvent, at: Date}} entry
 * @param {(text: string) => void} copy
 */
export function rowOf({ event, at }, copy) {
  const { name, id, text } = event;
  const data = element(
    "button",
    { class: "data", type: "button", "aria-expanded": "false", dir: "auto" },
    oneLine(text),
  );
  const row = element(
    "li",
    {},
    element("time", { datetime: at.toISOString() }, clock(at)),
    element("bdi", { class: "name", title: shortened(name, PREVIEW) }, shortened(name, PREVIEW)),
    element("bdi", { class: "id", title: id && `Id ${id}` }, shortened(id, PREVIEW) || "no id"),
    element("span", { class: "size" }, size(encoder.encode(text).length)),
    data,
  );
  data.addEventListener("click", () => toggle(row, data, event, copy));
  return row;
}

function clock(at) {
  const two = (number) => String(number).padStart(2, "0");
  const time = [at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(":");
  return `${time}.${String(at.getMilliseconds()).padStart(3, "0")}`;
}

function toggle(row, button, event, copy) {
  const isOpen = button.getAttribute("aria-expanded") === "true";
  button.setAttribute("aria-expanded", String(!isOpen));
  if (isOpen) row.querySelector(".whole").remove();
  else row.append(whole(event, copy));
}

/** Make the part of a row that shows the data in full. */
function whole(event, copy) {
  const text = pretty(event);
  const shown = element("pre", { dir: "auto", tabindex: "0" }, shortened(text, FIRST));
  const buttons = element("div", { class: "buttons" });
  if (text.length > FIRST) {
    const label = `Show all (${size(encoder.encode(text).length)})`;
    const more = element("button", { class: "button", type: "button" }, label);
    more.addEventListener("click", () => {
      shown.textContent = text;
      shown.focus();
      more.remove();
    });
    buttons.append(more);
  }
  const copies = element("button", { class: "button", type: "button" }, "Copy data");
  copies.addEventListener("click", () => copy(event.text));
  buttons.append(copies);
  return element("div", { class: "whole" }, shown, buttons);
}
