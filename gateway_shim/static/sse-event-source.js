/** `EventSource` over `connect` of sse-client.js, for pages that use one. */

import { connect } from "./sse-client.js";

const CONNECTING = 0;
const OPEN = 1;
const CLOSED = 2;

/**
 * The same events as from an `EventSource`, by the stream that the tabs share. `request_id` and
 * `last_event_id` of the URL are the options of these names.
 */
export class SharedEventSource extends EventTarget {
  /** @readonly */
  static CONNECTING = CONNECTING;
  /** @readonly */
  static OPEN = OPEN;
  /** @readonly */
  static CLOSED = CLOSED;
  /** @readonly */
  CONNECTING = CONNECTING;
  /** @readonly */
  OPEN = OPEN;
  /** @readonly */
  CLOSED = CLOSED;
  /** @type {0 | 1 | 2} */
  readyState = CONNECTING;
  onopen = null;
  onmessage = null;
  onerror = null;
  #connection;

  constructor(url, options = {}) {
    super();
    const target = new URL(url, document.baseURI);
    this.url = target.href;
    this.withCredentials = options.withCredentials ?? false;
    const requestId = target.searchParams.get("request_id") ?? undefined;
    const lastEventId = target.searchParams.get("last_event_id") ?? undefined;
    target.searchParams.delete("request_id");
    target.searchParams.delete("last_event_id");
    this.#connection = connect({ requestId, lastEventId, ...options, url: target.href });
    this.#connection.raw.add(({ name, text, id }) => {
      this.#emit(new MessageEvent(name, { data: text, lastEventId: id, origin: target.origin }));
    });
    this.#connection.onState((state) => {
      const ready = { open: OPEN, closed: CLOSED }[state] ?? CONNECTING;
      if (ready === this.readyState) return;
      this.readyState = ready;
      this.#emit(new Event(state === "open" ? "open" : "error"));
    });
  }

  close() {
    this.readyState = CLOSED;
    this.#connection.close();
  }

  #emit(event) {
    this.dispatchEvent(event);
    this[`on${event.type}`]?.(event);
  }
}
