"""The server of the clients' pages, which is also the proxy between a browser and the backend.

A page and its stream have one origin, as in production. A test can hold the requests of streams,
refuse them with 502, and break the open streams.
"""

from __future__ import annotations

import contextlib
import mimetypes
import re
import socket
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

import gevent
from gevent.event import Event

from tests.support.http.listener import Listener, reset

__all__ = ["Front"]

_STREAM = "/api/sse/stream"
_PACKAGES = "/packages/"
_CURSOR = re.compile(rb"(?im)^last-event-id: *(.+?)\r$")
_KEPT = re.compile(rb"(?im)^connection: .*\r$")


class Front(Listener):
    """A context manager that serves pages, and forwards streams to a backend.

    Args:
        pages: the folder of the pages. In a page, ``REQUEST_ID`` is replaced by the query's.
        packages: the folder that is served as ``/packages/``.
        backend: the port of the backend, on 127.0.0.1.

    Attributes:
        refused: the number of 502s since the last :meth:`hold`, by request id.
    """

    def __init__(self, pages: Path, packages: Path, backend: int) -> None:
        super().__init__()
        self.refused: Counter[str] = Counter()
        self._pages = pages
        self._packages = packages
        self._backend = backend
        self._refusals = 0
        self._waiting: list[tuple[str, str]] = []
        self._open: set[socket.socket] = set()
        self._gate = Event()
        self._gate.set()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop, and break the open streams."""
        super().__exit__(kind, error, trace)
        self.release()
        self.break_streams()

    def url(self, page: str, request_id: str) -> str:
        """Return the URL of a page whose stream has a request id."""
        return f"{self.origin}/{page}.html?request_id={request_id}"

    def hold(self, *, refusals: int = 0) -> None:
        """Let the requests for streams wait from now on.

        Args:
            refusals: the number of requests of each request id that get a 502 before.
        """
        self.refused.clear()
        self._refusals = refusals
        self._gate.clear()

    def release(self) -> None:
        """Forward the requests that wait, and all later ones at once."""
        self._gate.set()

    @property
    def waiting(self) -> list[tuple[str, str]]:
        """The requests that wait: the request id, and the last event id or an empty text."""
        return list(self._waiting)

    def break_streams(self) -> None:
        """Reset the connections of all streams, on both sides."""
        reset(self._open)

    # ------------------------------------------------------------------ private

    def serve(self, browser: socket.socket, _: object) -> None:
        """Answer a browser."""
        with contextlib.suppress(OSError):  # a tab is closed at any moment
            head = _read_head(browser)
            if not head:  # a connection that the browser has opened ahead, and never used
                return
            target = urlsplit(head.split(b" ", 2)[1].decode())
            query = {name: texts[0] for name, texts in parse_qs(target.query).items()}
            if target.path == _STREAM:
                found = _CURSOR.search(head)
                in_url = query.get("last_event_id") or query.get("lastEventId") or ""
                cursor = found[1].decode() if found else in_url
                self._answer_stream(browser, head, query["request_id"], cursor)
            else:
                browser.sendall(self._file(target.path, query.get("request_id", "")))

    def _file(self, path: str, request_id: str) -> bytes:
        if path.startswith(_PACKAGES):
            file = self._packages / path.removeprefix(_PACKAGES)
            # Packages that are made for bundlers import their modules without the suffix.
            file = file if file.suffix else file.with_suffix(".js")
        else:
            file = self._pages / path.removeprefix("/")
        if not file.is_file():
            return _response("404 Not Found", "text/plain", b"There is no such file.\n")
        body = file.read_bytes()
        if file.suffix == ".html":
            body = body.replace(b"REQUEST_ID", request_id.encode())
        media_type = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        return _response("200 OK", media_type, body)

    def _answer_stream(
        self, browser: socket.socket, head: bytes, request_id: str, cursor: str
    ) -> None:
        if not self._gate.is_set() and self.refused[request_id] < self._refusals:
            self.refused[request_id] += 1
            page = b"<h1>502 Bad Gateway</h1>\n"
            browser.sendall(_response("502 Bad Gateway", "text/html", page))
        elif self._wait_at_gate(browser, request_id, cursor):
            # One request on each connection, so that every request passes the gate.
            self._forward(browser, _KEPT.sub(b"Connection: close\r", head))

    def _wait_at_gate(self, browser: socket.socket, request_id: str, cursor: str) -> bool:
        """Return False if the browser gives up before the gate opens.

        Its request must not reach the backend then, where it would replace a later stream.
        """
        if self._gate.is_set():
            return True
        hangup = gevent.spawn(_wait_for_hangup, browser)
        either: list[Any] = [hangup, self._gate]
        self._waiting.append((request_id, cursor))
        try:
            gevent.wait(either, count=1)
            return not hangup.ready()
        finally:
            hangup.kill()
            self._waiting.remove((request_id, cursor))

    def _forward(self, browser: socket.socket, head: bytes) -> None:
        with socket.create_connection(("127.0.0.1", self._backend)) as backend:
            sides = {browser, backend}
            self._open |= sides
            directions = [
                gevent.spawn(_copy, browser, backend),
                gevent.spawn(_copy, backend, browser),
            ]
            try:
                backend.sendall(head)
                gevent.joinall(directions, count=1)
            finally:
                gevent.killall(directions)
                self._open -= sides


def _read_head(browser: socket.socket) -> bytes:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        data = browser.recv(65536)
        if not data:
            return b""
        head += data
    return head


def _response(status: str, media_type: str, body: bytes) -> bytes:
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: {media_type}\r\nContent-Length: {len(body)}\r\n"
        "Cache-Control: no-store\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body


def _wait_for_hangup(browser: socket.socket) -> None:
    with contextlib.suppress(OSError):
        browser.recv(1)


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
