// The worker of a frontend of the original backend, with its three habits: it opens a new
// EventSource after every error, gives up after a connection_close, and begins at the present.
// With ?resume it has the one change that it needs: the new EventSource begins after the last id.
const resumes = location.search === "?resume";
const ports = new Set();
let requestId;
let source;
let timer;
let failures = 0;
let lastId = "";

function close() {
  clearTimeout(timer);
  source.close();
}

function open() {
  const query = new URLSearchParams({ request_id: requestId });
  if (resumes && lastId) query.set("last_event_id", lastId);
  source = new EventSource(`/api/sse/stream?${query}`);
  source.onopen = () => {
    failures = 0;
  };
  for (const name of ["version", "resync"]) {
    source.addEventListener(name, (event) => {
      lastId = event.lastEventId || lastId;
      for (const port of ports) port.postMessage(event.data);
    });
  }
  source.addEventListener("connection_close", close);
  source.onerror = () => {
    clearTimeout(timer);
    timer = setTimeout(reopen, Math.min(1_000 * 2 ** failures, 60_000));
    failures += 1;
  };
}

function reopen() {
  close();
  open();
}

self.onconnect = ({ ports: [port] }) => {
  port.onmessage = ({ data }) => {
    ports.add(port);
    if (source) return;
    requestId = data;
    open();
  };
};
