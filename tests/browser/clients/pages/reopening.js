import { log } from "./page.js";

/**
 * Open a stream with a class like EventSource. Open it again after an answer that is not a stream,
 * such as 502. The new one begins after the last id of the one before.
 */
export function keepOpen(Source, url) {
  let lastId = "";

  function open() {
    const source = new Source(lastId ? `${url}&last_event_id=${encodeURIComponent(lastId)}` : url);
    for (const name of ["version", "resync"]) {
      source.addEventListener(name, (event) => {
        lastId = event.lastEventId || lastId;
        log(event);
      });
    }
    source.onerror = () => {
      // In every other state the client reconnects by itself, with the last id.
      if (source.readyState !== Source.CLOSED) return;
      setTimeout(open, 200 * (1 + Math.random())); // A real page waits longer: 1 s, 2 s, 4 s, …
    };
  }

  open();
}
