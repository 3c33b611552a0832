/** A server for the tabs of world.mjs. It has a log of numbers, and replays it. */

export class Server {
  epoch = 1;
  newest = 0;
  oldest = 0; // What is older cannot be replayed.
  refuses = false;
  isSilent = false; // Streams stay open, and nothing arrives.
  hasIds = true;
  streams = new Set();
  opened = [];
  #world;

  /** `idOf(epoch, position)` is the text of an id, and `placeOf(id)` reads it again. */
  constructor(world, idOf = (epoch, at) => `e${epoch}-${at}`, first = () => "") {
    this.#world = world;
    this.idOf = idOf;
    this.first = first;
  }

  /** Answer a request of a tab. */
  fetch(url, signal, tab) {
    return new Promise((resolve, reject) => {
      const broken = () => this.#world.plan(0, tab, () => reject(new Error("network")));
      signal?.addEventListener("abort", broken);
      this.#world.plan(2 + Math.floor(this.#world.dice() * 30), null, () => {
        if (signal?.aborted || tab.isGone) return;
        if (this.isSilent) return;
        const isRefused = this.refuses || url.pathname.endsWith("/status");
        const answer = isRefused ? refusal(503) : this.#open(url, signal, tab);
        this.#world.plan(1, tab, () => resolve(answer));
      });
    });
  }

  publish() {
    this.newest += 1;
    for (const stream of this.streams) stream.send(this.#event(this.newest));
  }

  beat() {
    for (const stream of this.streams) stream.send(this.hasIds ? this.#id(this.newest) : ":\n\n");
  }

  cut() {
    for (const stream of [...this.streams]) stream.end();
  }

  /** Lose the log. */
  forget() {
    this.epoch += 1;
    this.newest = 0;
    this.oldest = 0;
    this.cut();
  }

  #id(position) {
    return `id: ${this.idOf(this.epoch, position)}\n\n`;
  }

  #event(position) {
    const data = JSON.stringify({ epoch: this.epoch, position });
    const id = this.hasIds ? `id: ${this.idOf(this.epoch, position)}\n` : "";
    return `${id}event: number\ndata: ${data}\n\n`;
  }

  #open(url, signal, tab) {
    const cursor = url.searchParams.get("last_event_id") ?? "";
    const stream = new Body(this.#world, this, tab, signal);
    this.opened.push({ cursor, requestId: url.searchParams.get("request_id"), tab });
    this.streams.add(stream);
    const replayed = [];
    let place = -1;
    for (let at = this.oldest; at <= this.newest; at += 1)
      if (this.idOf(this.epoch, at) === cursor) place = at;
    if (this.hasIds && cursor !== "" && place >= 0)
      for (let at = place + 1; at <= this.newest; at += 1) replayed.push(this.#event(at));
    else if (this.hasIds && cursor !== "")
      replayed.push(`event: resync\ndata: {"reason":"unknown"}\n${this.#id(this.newest)}`);
    const begin = this.hasIds ? this.#id(place >= 0 ? place : this.newest) : "";
    stream.send(this.first() + begin + replayed.join(""));
    return {
      status: 200,
      ok: true,
      headers: new Map([
        ["Content-Type", "text/event-stream"],
        ["SSE-Heartbeat-Seconds", "5"],
      ]),
      body: { pipeThrough: () => ({ getReader: () => stream }) },
    };
  }
}

function refusal(status) {
  return { status, ok: false, headers: new Map(), body: {}, text: async () => "" };
}

/** The body of one answer, with a reader. */
class Body {
  #world;
  #pieces = [];
  #wake = null;
  #isOver = false;
  #isDead = false;

  constructor(world, server, tab, signal) {
    this.#world = world;
    this.server = server;
    this.tab = tab;
    signal.addEventListener("abort", () => this.end());
    this.isGone = () => tab.isGone;
  }

  /** Send a text, in one piece or two. */
  send(text) {
    this.#isDead ||= this.server.isSilent; // The network has dropped it, and nobody was told.
    if (text === "" || this.#isDead) return;
    const cut = Math.floor(this.#world.dice() * (text.length + 1));
    const pieces = [text.slice(0, cut), text.slice(cut)].filter((piece) => piece !== "");
    this.#world.plan(3, this.tab, () => {
      this.#pieces.push(...pieces);
      this.#wake?.();
    });
  }

  end() {
    this.server.streams.delete(this);
    this.#world.plan(3, this.tab, () => {
      this.#isOver = true;
      this.#wake?.();
    });
  }

  async read() {
    while (this.#pieces.length === 0 && !this.#isOver)
      await new Promise((resolve) => (this.#wake = resolve));
    if (this.#pieces.length > 0) return { value: this.#pieces.shift(), done: false };
    return { value: undefined, done: true };
  }
}
