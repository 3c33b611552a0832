"""A client that sends a request with a body over a socket pair."""

from __future__ import annotations

import socket
from typing import Any

import gevent
from gunicorn.config import Config
from gunicorn.http.unreader import SocketUnreader

from gateway_shim.protocol.http import Refusal
from gateway_shim.server.requests.body import read_body
from gateway_shim.server.requests.request import ServerRequest

__all__ = ["CHUNKED", "LENGTH", "BodyClient"]

LENGTH = "Content-Length: {}"
CHUNKED = "Transfer-Encoding: chunked"


class BodyClient:
    """A client that has sent a request head, and the request that the server parsed from it."""

    def __init__(self, *lines: str, body: bytes = b"") -> None:
        self.socket, self.server = socket.socketpair()
        head = "\r\n".join(["POST / HTTP/1.1", "Host: h", *lines, "", ""]).encode()
        self.sending = gevent.spawn(self.socket.sendall, head + body)
        self.request: Any = ServerRequest(Config(), SocketUnreader(self.server), ("192.0.2.1", 1))

    def read(self) -> Refusal | None:
        """Read the body of the request as the worker does."""
        return read_body(self.request, self.server)

    def close(self) -> None:
        """Close both ends of the connection."""
        self.sending.kill()
        self.socket.close()
        self.server.close()
