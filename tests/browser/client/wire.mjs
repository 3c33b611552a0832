/**
 * Reads streams with the client in Node.js: `node wire.mjs MODULE`.
 *
 * Standard input has a JSON list of streams, each a list of pieces in base64, as the network
 * delivers them. Standard output has, for each stream, its events as [name, text, id], the last id
 * and the pause before the next request.
 */
import { readFileSync } from "node:fs";

// As a data URL, because older versions of Node.js take a file .js for a CommonJS module.
const source = readFileSync(process.argv[2]).toString("base64");
const { Stream } = await import(`data:text/javascript;base64,${source}`);

function answerOf(pieces) {
  const body = new ReadableStream({
    pull(controller) {
      if (pieces.length === 0) controller.close();
      else controller.enqueue(Buffer.from(pieces.shift(), "base64"));
    },
  });
  return new Response(body, { headers: { "Content-Type": "text/event-stream; charset=utf-8" } });
}

async function read(pieces) {
  const blocks = [];
  globalThis.fetch = async () => answerOf(pieces);
  const config = { url: "http://localhost/stream", requestId: "me", grace: 1_000 };
  const stream = new Stream(config, {
    state() {},
    blocks: (more) => blocks.push(...more),
  });
  await stream.ask();
  const pause = stream.detail.retryAt - Date.now();
  stream.close("");
  const events = blocks.filter(({ name }) => name !== "");
  return {
    events: events.map(({ name, text, id }) => [name, text, id]),
    cursor: stream.cursor,
    pause,
  };
}

const results = [];
for (const pieces of JSON.parse(readFileSync(0))) results.push(await read(pieces));
console.log(JSON.stringify(results));
