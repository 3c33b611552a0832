"""The program that controls a page in Chromium: ``python -m tests.browser.page CHROMIUM``.

Playwright needs a process that gevent has not patched. The program reads commands as JSON lines
from standard input, ``{"do": NAME, …}``, and prints one JSON line for each. The page has a port of
its own, so the streams of the backend are cross-origin.
"""

from __future__ import annotations

import contextlib
import ctypes
import http.client
import http.server
import json
import sys
import threading
from typing import Any, ClassVar

from playwright.sync_api import Page, sync_playwright

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP plain.test 127.0.0.1",  # a name whose pages are not trustworthy
]

_PR_CAPBSET_DROP, _CAP_SYS_NICE = 24, 23  # linux/prctl.h, linux/capability.h

HTML = b"""<!doctype html><title>stream</title><script>
const seen = [];
let source = null;
function openStream([url, credentials]) {
  source = new EventSource(url, {withCredentials: credentials});
  source.onopen = () => seen.push({kind: "open"});
  source.onerror = () => seen.push({kind: "error", state: source.readyState});
  for (const name of ["version", "task_event", "server_restart", "resync"])
    source.addEventListener(name, event => seen.push({kind: name, data: event.data}));
  // As in existing pages: this event means that the stream has ended for good.
  source.addEventListener("connection_close", event => {
    seen.push({kind: "connection_close", data: event.data});
    source.close();
  });
}
async function readAnswer([url, headers]) {
  // An event stream does not end, and one read may return only a part of what the server sent.
  const stop = new AbortController();
  const answer = await fetch(url, {headers, credentials: "include", signal: stop.signal});
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (!text.includes("\\nevent: version\\n")) {
    const {value, done} = await reader.read();
    if (done) return [answer.status, text];
    text += value;
  }
  stop.abort();
  return [answer.status, text];
}
async function post([url, body, mode]) {
  // A page of an origin that is not allowed can send this, but cannot read the response.
  const type = mode === "no-cors" ? "text/plain" : "application/json";
  const headers = body === null ? {} : {"Content-Type": type};
  try {
    return (await fetch(url, {method: "POST", mode, headers, body})).status;
  } catch (error) {
    return null;
  }
}
</script>"""


def give_up_priority() -> None:
    """Give up the right to a higher priority, also for child processes.

    Chromium uses it if it runs as root, as in CI, and would take the processors away from servers.
    """
    ctypes.CDLL(None).prctl(_PR_CAPBSET_DROP, _CAP_SYS_NICE, 0, 0, 0)


class Handler(http.server.BaseHTTPRequestHandler):
    """The server of the page. It forwards the API as a development server does (changeOrigin).

    Attributes:
        backend: the port to which ``/api`` is forwarded.
    """

    backend: ClassVar[int] = 0

    def do_POST(self) -> None:
        """Forward a write to the backend."""
        self._forward(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def _forward(self, body: bytes | None) -> None:
        upstream = http.client.HTTPConnection("127.0.0.1", self.backend)
        headers = {name: value for name, value in self.headers.items() if name != "Host"}
        with contextlib.suppress(OSError):  # the backend has ended, or the browser is gone
            upstream.request(self.command, self.path, body, headers)  # with another Host
            answer = upstream.getresponse()
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.headers["Content-Type"])
            self.end_headers()
            while data := answer.read1():
                self.wfile.write(data)

    def do_GET(self) -> None:
        """Send the page, or forward a request to the API."""
        if self.path.startswith("/api/"):
            self._forward(None)
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(HTML)))
        self.end_headers()
        self.wfile.write(HTML)

    def log_message(self, *args: Any) -> None:
        """Print nothing, because standard output is for responses to commands."""


def run_command(page: Page, command: dict[str, Any]) -> Any:
    """Run one command in the page, and return its result."""
    what = command.pop("do")
    if what == "open":
        return page.evaluate("openStream", [command["url"], command["credentials"]])
    if what == "cookie":
        return page.evaluate("cookie => { document.cookie = cookie; }", command["cookie"])
    if what == "fetch":
        return page.evaluate("readAnswer", [command["url"], command["headers"]])
    if what == "post":
        return page.evaluate("post", [command["url"], command["body"], command["mode"]])
    if what == "proxy":
        Handler.backend = command["port"]
        return None
    if what == "wait":
        # Wait until the page has ``count`` entries of a kind.
        expression = "([kind, count]) => seen.filter(e => e.kind === kind).length >= count"
        arguments = [command["kind"], command["count"]]
        page.wait_for_function(expression, arg=arguments, timeout=command["seconds"] * 1000)
        return page.evaluate("() => seen")
    raise ValueError(what)


def main() -> None:
    """Serve until standard input ends."""
    give_up_priority()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    origin = f"http://127.0.0.1:{server.server_port}"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=sys.argv[1], args=ARGUMENTS)
        page = browser.new_page()
        print(json.dumps(origin), flush=True)
        for line in sys.stdin:
            command = json.loads(line)
            if command == {"do": "begin"}:  # a context of its own: no cookie or stream is left
                page.close()
                page = browser.new_page()
                page.goto(origin)
                answer = None
            else:
                answer = run_command(page, command)
            print(json.dumps(answer), flush=True)
        browser.close()
    server.shutdown()


if __name__ == "__main__":
    main()
