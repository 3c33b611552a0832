// stream.js: the one connection of the app.
import { connect } from "./sse-client.js";

export const stream = connect({
  // Vite recognizes exactly this form, and packs the worker into a file of its own.
  worker: () =>
    new SharedWorker(new URL("./sse-client.js", import.meta.url), {
      type: "module",
      name: "events",
    }),
});
