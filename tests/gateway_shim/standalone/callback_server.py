"""A backend for the tests of callbacks: a small HTTP server that each test scripts."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from types import TracebackType
from typing import IO, Any, Self

import pytest
from gevent.server import StreamServer

SHORT = 0.15
"""A time limit that is short enough for tests to reach, seconds."""

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"

CONNECT = {
    "action": "connect",
    "token": "t",
    "request": {"url": "/a?b", "headers": {"host": "h", "x-latin": "\xe9"}},
}

DISCONNECT = {"action": "disconnect", "reason": "error", "token": "t", "request": {}}

Answer = Callable[[socket.socket], object]


def sends(data: bytes) -> Answer:
    """Return an answer that sends these bytes."""
    return lambda sock: sock.sendall(data)


class CallbackServer:
    """A backend that answers each request as the test says. Use it as a context manager.

    Attributes:
        answer: called with the connection after each request; a true result closes the connection.
        connections: the number of connections so far.
        requests: the head and the body of every request.
        at_once: the largest number of requests that were being answered at a time.
    """

    def __init__(self) -> None:
        self.answer: Answer = sends(OK)
        self.connections = 0
        self.requests: list[tuple[list[str], bytes]] = []
        self.at_once = 0
        self._answering = 0
        self._server = StreamServer(("127.0.0.1", 0), self._serve)

    def __enter__(self) -> Self:
        """Start listening."""
        self._server.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop listening, and close the open connections."""
        self._server.stop(timeout=0)

    @property
    def url(self) -> str:
        """The URL of the callback."""
        return f"http://127.0.0.1:{self._server.server_port}/callback?secret=s"

    def _serve(self, sock: socket.socket, address: object) -> None:
        self.connections += 1
        # In some tests the gateway closes the connection first.
        with contextlib.suppress(OSError), sock, sock.makefile("rb") as reader:
            self._converse(sock, reader)

    def _converse(self, sock: socket.socket, reader: IO[bytes]) -> None:
        while head := self._read_head(reader):
            lengths = [line for line in head if line.lower().startswith("content-length:")]
            self.requests.append(
                (head, reader.read(int(lengths[0].partition(":")[2]) if lengths else 0))
            )
            self._answering += 1
            self.at_once = max(self.at_once, self._answering)
            try:
                if self.answer(sock):
                    break
            finally:
                self._answering -= 1

    def _read_head(self, reader: IO[bytes]) -> list[str]:
        lines = []
        while line := reader.readline().decode("latin-1").rstrip("\r\n"):
            lines.append(line)
        return lines


class CallCounter:
    """A function that counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> None:
        """CallCounter one call."""
        self.calls += 1


def logged(caplog: pytest.LogCaptureFixture) -> list[tuple[str, Any, Any]]:
    """Return the warnings of the HTTP backend, each with its action and its token."""
    return [
        (record.message, getattr(record, "action", None), getattr(record, "token", None))
        for record in caplog.records
        if record.name == "gateway_shim.standalone.http_backend"
    ]
