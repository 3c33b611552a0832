"""A server of the console in the process of the test, with a browser client that the test controls.

The client of the page does what the test says: ``fake.set(state, detail)`` and
``fake.send(name, data)`` in the page. So every state of a stream can be shown at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from flask import Flask
from gevent.pywsgi import WSGIServer

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

__all__ = ["ConsoleServer"]

_CLIENT = b"""
// The page and its parts have handlers of their own.
const handlers = [];
const shows = [];
const none = {reason: "", status: 0, retryAt: 0};
globalThis.fake = {
  reconnects: 0,
  set(state, detail = {}) { for (const show of shows) show(state, {...none, ...detail}); },
  send(name, data) {
    for (const [of, call] of handlers) if (of === name) call(data, {name, data, text: "", id: ""});
  },
};
export function connect(options) {
  fake.options = options;
  return {
    state: "connecting", requestId: "", lastEventId: "", sharing: "",
    on(name, handler) { handlers.push([name, handler]); return () => {}; },
    onState(handler) { shows.push(handler); handler("connecting", none); return () => {}; },
    tap() { return () => {}; },
    reconnect() { fake.reconnects += 1; },
    close() {},
  };
}
"""

Application = Callable[["WSGIEnvironment", "StartResponse"], Iterable[bytes]]


class ConsoleServer:
    """A context manager that serves an application on a free port of 127.0.0.1.

    Args:
        app: the application.
    """

    def __init__(self, app: Flask) -> None:
        self._app: Application = app.wsgi_app
        self._server = WSGIServer(("127.0.0.1", 0), self._answer, log=None)

    @property
    def url(self) -> str:
        """The base URL, without a slash at the end."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def _answer(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ["SERVER_NAME"] = "127.0.0.1"  # the listening address, as in gunicorn
        if environ["PATH_INFO"] == "/static/sse-client.js":
            start_response("200 OK", [("Content-Type", "text/javascript")])
            return [_CLIENT]
        return self._app(environ, start_response)

    def stop(self) -> None:
        """Stop to listen, and close the connections."""
        self._server.stop(timeout=0)

    def __enter__(self) -> Self:
        """Start to serve."""
        self._server.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop."""
        self.stop()
