"""A server between the browser and a backend: it serves the pages of the tests, and makes faults.

The pages and the streams have one origin, as behind a proxy in production. Each connection carries
one request, so the proxy can pass on the backend's bytes as they are.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

import gevent
from gevent.event import Event

from tests.support.http.listener import Listener, reset
from tests.support.timing import wait_until

__all__ = ["Proxy", "Request", "answer"]

STREAM_PATH = "/api/sse/stream"

_PAGES = Path(__file__).parent / "pages"
_TYPES = {".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8"}


class Request(NamedTuple):
    """The head of a request.

    Args:
        method: the method.
        target: the path and the query.
        headers: the headers, with their names in lower case.
        at: the time when the request arrived, seconds of the monotonic clock.
    """

    method: str
    target: str
    headers: dict[str, str]
    at: float

    @property
    def path(self) -> str:
        """The path, without the query."""
        return urlsplit(self.target).path

    @property
    def last_event_id(self) -> str:
        """The id after which a stream is requested; empty if it begins now. The header counts."""
        in_query = parse_qs(urlsplit(self.target).query).get("last_event_id", [""])[0]
        return self.headers.get("last-event-id", in_query)


class _Hold(NamedTuple):
    """The answers to requests are held back.

    Args:
        begun: is set when there is an answer.
        over: is set when the answers are sent.
    """

    begun: Event
    over: Event

    def wait(self) -> None:
        """Hold an answer back until the end."""
        self.begun.set()
        self.over.wait()


def answer(status: str, headers: str = "", body: str = "") -> bytes:
    """Return the bytes of an answer.

    Args:
        status: the code and the reason, such as ``502 Bad Gateway``.
        headers: more headers, each with its line end.
        body: the body.
    """
    length = "" if status.startswith("204") else f"Content-Length: {len(body.encode())}\r\n"
    return f"HTTP/1.1 {status}\r\nConnection: close\r\n{length}{headers}\r\n{body}".encode()


class Proxy(Listener):
    """A context manager that runs the proxy.

    Args:
        backend: the port of the backend.

    Attributes:
        backend: the port of the backend. If nothing listens there, the answer is a 502.
        refusal: the answer to each request for a stream, as :func:`answer` makes it; None: the
            request is forwarded.
        streams: the requests for streams, those that were refused included.
        refused: the number of requests that got ``refusal``.
    """

    def __init__(self, backend: int) -> None:
        super().__init__()
        self.backend = backend
        self.refusal: bytes | None = None
        self.streams: list[Request] = []
        self.refused = 0
        self._holds: dict[tuple[str, str], _Hold] = {}
        self._open: set[socket.socket] = set()  # the browser's side of each open stream
        self._silent: set[socket.socket] = set()
        self._is_on_time = Event()
        self._is_on_time.set()

    @property
    def open_streams(self) -> int:
        """The number of streams that the proxy forwards now."""
        return len(self._open)

    def cut_streams(self) -> int:
        """Reset the connections of all open streams, and return their number."""
        return reset(self._open)

    def silence_streams(self) -> int:
        """Lose all further bytes of the streams that are open now, and return their number.

        The connections stay open, as after a failure of the network that nobody reports.
        """
        self._silent |= self._open
        return len(self._open)

    @contextmanager
    def delaying_streams(self) -> Iterator[None]:
        """Send the bytes of the streams after the block. They are late, but not lost."""
        self._is_on_time.clear()
        try:
            yield
        finally:
            self._is_on_time.set()

    @contextmanager
    def refusing(self, refusal: bytes) -> Iterator[None]:
        """Cut the open streams, and give every request for a stream this answer.

        The block begins after the first refusal.
        """
        before = self.refused
        self.refusal = refusal
        self.cut_streams()
        try:
            wait_until(lambda: self.refused > before, "the first refusal")
            yield
        finally:
            self.refusal = None

    @contextmanager
    def holding(self, method: str, path: str) -> Iterator[Event]:
        """Forward the requests with this method and path, but hold their answers back.

        Returns:
            An event that is set when there is such a request.
        """
        hold = self._holds[method, path] = _Hold(Event(), Event())
        try:
            yield hold.begun
        finally:
            del self._holds[method, path]
            hold.over.set()

    def serve(self, browser: socket.socket, _: object) -> None:
        """Answer a browser."""
        with browser:
            data = _read_request(browser)
            if not data:
                return
            request = _parse(data)
            hold = self._holds.get((request.method, request.path))
            if request.path.startswith("/pages/"):
                if hold is not None:
                    hold.wait()
                browser.sendall(_page(request.path))
            elif request.path == STREAM_PATH:
                self.streams.append(request)
                self._serve_stream(browser, data)
            else:
                self._forward(browser, data, hold)

    def _serve_stream(self, browser: socket.socket, data: bytes) -> None:
        if self.refusal is not None:
            self.refused += 1
            browser.sendall(self.refusal)
            return
        self._open.add(browser)
        try:
            self._forward(browser, data, None)
        finally:
            self._open.discard(browser)
            self._silent.discard(browser)

    def _forward(self, browser: socket.socket, data: bytes, hold: _Hold | None) -> None:
        try:
            server = socket.create_connection(("127.0.0.1", self.backend))
        except OSError:
            browser.sendall(answer("502 Bad Gateway"))
            return
        with server:
            server.sendall(data)
            directions: list[gevent.Greenlet[..., None]] = [
                gevent.spawn(self._copy_answer, server, browser, hold),
                gevent.spawn(_wait_for_end, browser),
            ]
            try:
                gevent.joinall(directions, count=1)
            finally:
                gevent.killall(directions)

    def _copy_answer(
        self, server: socket.socket, browser: socket.socket, hold: _Hold | None
    ) -> None:
        try:
            while data := server.recv(65536):
                if hold is not None:
                    hold.wait()
                if browser in self._open:
                    self._is_on_time.wait()
                if browser not in self._silent:
                    browser.sendall(data)
        except OSError:
            return
        if browser in self._silent:
            Event().wait()  # until the browser closes the connection


def _read_request(browser: socket.socket) -> bytes:
    """Return a request, changed so that the server closes the connection after its answer."""
    data = b""
    while b"\r\n\r\n" not in data:
        received = _receive(browser)
        if not received:
            return b""
        data += received
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(_parse(data).headers.get("content-length", 0))
    while len(body) < length:
        received = _receive(browser)
        if not received:
            return b""
        body += received
    lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"connection:")]
    return b"\r\n".join([*lines, b"Connection: close", b"", body])


def _receive(connection: socket.socket) -> bytes:
    try:
        return connection.recv(65536)
    except OSError:
        return b""


def _wait_for_end(browser: socket.socket) -> None:
    while _receive(browser):
        pass


def _parse(data: bytes) -> Request:
    first, *lines = data.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ")
    fields = (line.partition(":") for line in lines)
    headers = {name.lower(): value.strip() for name, _, value in fields}
    return Request(method, target, headers, time.monotonic())


def _page(path: str) -> bytes:
    file = _PAGES / path.removeprefix("/pages/")
    if not file.is_file():
        return answer("404 Not Found")
    headers = f"Content-Type: {_TYPES[file.suffix]}\r\nCache-Control: no-store\r\n"
    return answer("200 OK", headers, file.read_text())
