"""A fake gateway behind HTTP, in this process, that answers sends as a test wants."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from gevent.pool import Pool
from gevent.server import StreamServer

from gateway_shim.parity.ports import free_port

__all__ = ["OK", "HttpGateway", "Respond", "http_answer"]

Respond = Callable[[dict[str, Any]], bytes]
"""Takes a send, returns the bytes to answer it with; none: the connection is closed."""


def http_answer(status: int, body: bytes = b"{}", *headers: bytes) -> bytes:
    """Return a whole answer that keeps the connection open."""
    lines = [
        b"HTTP/1.1 %d Whatever" % status,
        b"Content-Type: application/json",
        b"Content-Length: %d" % len(body),
        *headers,
    ]
    return b"\r\n".join([*lines, b"", body])


OK = http_answer(200, b'{"status":"ok"}')


class HttpGateway:
    """A context manager: listens on a free loopback port.

    Args:
        respond: what a send is answered; it may wait.

    Attributes:
        port: where it listens.
        heads: the head of every request, as it came.
        bodies: the body of every request, as it came.
        connections: how many connections were made.
        most_at_once: how many requests were being answered at a time, at most.
        readiness: what every GET is answered; a probe is no send, and is counted nowhere.
    """

    def __init__(self, respond: Respond = lambda send: OK) -> None:
        self.respond = respond
        self.readiness = http_answer(200, b'{"status":"ready","configured":true}')
        self.heads: list[bytes] = []
        self.bodies: list[bytes] = []
        self.connections = 0
        self.most_at_once = 0
        self._at_once = 0
        self._server: StreamServer | None = None
        self.port = free_port()

    def __enter__(self) -> Self:
        """Start listening."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop listening and cut every connection."""
        self.stop()

    @property
    def url(self) -> str:
        """The base URL of the gateway."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def sends(self) -> list[dict[str, Any]]:
        """All sends so far, in the order of their arrival."""
        return [json.loads(body) for body in self.bodies]

    def data_of(self, token: str) -> list[str]:
        """Return the data that one stream was sent, in order; a close is ``close``."""
        return [
            "close" if send.get("close") else send["event"]["data"]
            for send in self.sends
            if send["token"] == token
        ]

    def start(self) -> None:
        """Listen, on the same port as before."""
        self._server = StreamServer(("127.0.0.1", self.port), self._serve_quietly, spawn=Pool())
        self._server.start()

    def stop(self) -> None:
        """Close every connection and the port."""
        if self._server is not None:
            self._server.stop(timeout=0)
            self._server = None

    def _serve_quietly(self, connection: socket.socket, address: object) -> None:
        # In many tests the client closes the connection first.
        with contextlib.suppress(OSError):
            self._serve(connection, address)

    def _serve(self, connection: socket.socket, _: object) -> None:
        self.connections += 1
        held = b""
        while True:
            while b"\r\n\r\n" not in held:
                more = connection.recv(65536)
                if not more:
                    return
                held += more
            head, _, held = held.partition(b"\r\n\r\n")
            if head.startswith(b"GET "):
                connection.sendall(self.readiness)
                continue
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            while len(held) < length:
                held += connection.recv(65536)
            body, held = held[:length], held[length:]
            self.heads.append(head)
            self.bodies.append(body)
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            try:
                answer = self.respond(json.loads(body))
            finally:
                self._at_once -= 1
            if not answer:
                return
            connection.sendall(answer)
