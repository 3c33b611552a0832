// Gets the server's samples: those of the last ten minutes at first and after a gap, then each new
// one as the event `operations_sample`.

const AGAIN_AFTER = 2_000; // Milliseconds, as all times here.
const AGAIN_AFTER_ERROR = 10_000;
const MISSED = 3; // Intervals without a sample, after which it is not late but missing.

/**
 * Have the server send `operations_sample` to the stream, whenever it opens or gets another name.
 *
 * @param stream the connection
 * @param request the function that asks the console's API
 * @param {{ onAsked?: () => void, onError?: (error: Error) => void }} [handlers] onAsked is called
 *   when the server has begun to send
 */
export function askForSamples(stream, request, { onAsked = () => {}, onError = () => {} } = {}) {
  let asked = ""; // The request id that the server sends to.
  let timer = 0;

  async function ask() {
    clearTimeout(timer);
    const requestId = stream.requestId;
    if (stream.state !== "open" || requestId === "" || requestId === asked) return;
    asked = requestId;
    try {
      const answer = await request("POST", "/operations/watch", { request_id: requestId });
      // If the stream is not here, it is still connected to a process that ends.
      if (answer.connected) onAsked();
      else askAgain(AGAIN_AFTER);
    } catch (error) {
      onError(error);
      askAgain(AGAIN_AFTER_ERROR);
    }
  }

  function askAgain(pause) {
    asked = "";
    timer = setTimeout(ask, pause);
  }

  stream.onState((state) => {
    if (state !== "open") asked = "";
    else ask();
  });
  // A shared stream gets another name when another tab takes it over.
  stream.tap(() => {
    if (stream.requestId !== asked && asked !== "") ask();
  });
}

/**
 * Get the samples of the last ten minutes, and each new one.
 *
 * @param stream the connection
 * @param request the function that asks the console's API
 * @param {{
 *   onState: (state: any) => void,
 *   onSample: (sample: any) => void,
 *   onError: (error: Error) => void,
 * }} handlers onState gets the answer of GET /operations; onSample the data of an event
 */
export function watchSamples(stream, request, { onState, onSample, onError }) {
  let newest = Infinity; // The time of the newest sample; Infinity: nothing was loaded yet.
  let interval = 5_000; // Until the server has named its own.
  let loadedAt = -Infinity;
  let timer = 0;

  async function load() {
    const state = await request("GET", "/operations");
    loadedAt = performance.now();
    interval = state.interval_seconds * 1000;
    newest = state.samples.at(-1)?.time ?? 0;
    onState(state);
    expectNext();
  }

  /** Load what no event brings: a stream that is lost may be served by another gateway. */
  function expectNext() {
    clearTimeout(timer);
    timer = setTimeout(() => {
      if (stream.state === "lost" || stream.state === "closed") load().catch(expectNext);
      else expectNext();
    }, MISSED * interval);
  }

  stream.on("operations_sample", (sample) => {
    const isAfterGap = sample.time - newest > 1.5 * interval;
    if (newest < Infinity) newest = sample.time;
    onSample(sample);
    expectNext();
    if (isAfterGap) load().catch(onError);
  });
  const onAsked = () => {
    if (performance.now() - loadedAt > interval) load().catch(onError);
  };
  askForSamples(stream, request, { onAsked, onError });
  load().catch(onError); // The figures are there, also if the stream cannot be opened.
  expectNext();
}
