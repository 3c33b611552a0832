/**
 * Opens a stream and records everything that it tells in globals, which tests read.
 *
 * The options of `connect` are JSON in the query parameter `options`.
 */
import * as client from "/static/sse-client.js";

const KEPT = "numbers of the pages before";

window.client = client;

/** The numbers of the events `number`, those of the pages before a reload included. */
window.numbers = JSON.parse(sessionStorage.getItem(KEPT) ?? "[]");

/** The events, as [name, text, id]. Long texts are cut. */
window.events = [];

/** The names of the events. */
window.names = [];

/** The states, and the details and the time of each change. */
window.states = [];
window.details = [];

/** Whether `pageshow` said that the page came out of the back/forward cache. */
window.wasCached = false;

window.stream = client.connect(JSON.parse(new URL(location.href).searchParams.get("options")));
stream.tap(({ name, data, text, id }) => {
  names.push(name);
  events.push([name, text.slice(0, 1000), id]);
  if (name === "number") numbers.push(data.n);
});
stream.onState((state, detail) => {
  states.push(state);
  details.push({ state, ...detail, at: Date.now() });
});

addEventListener("pageshow", (event) => {
  wasCached = event.persisted;
});
addEventListener("pagehide", () => sessionStorage.setItem(KEPT, JSON.stringify(numbers)));
