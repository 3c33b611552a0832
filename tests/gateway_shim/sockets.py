"""Sockets for tests: connected pairs, a browser's end, and a full send buffer."""

from __future__ import annotations

import contextlib
import socket

from tests.support.http.client import Connection

__all__ = ["SocketClient", "fill", "tcp_pair"]


class SocketClient(Connection):
    """The browser's end of a connected pair."""

    def __init__(self, sock: socket.socket) -> None:
        self.port = 0
        self.host = "pair"
        self.socket = sock
        self._held = b""


def tcp_pair() -> tuple[socket.socket, socket.socket]:
    """Return the two ends of a TCP connection: client, server."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        server, _ = listener.accept()
        return client, server


def fill(sock: socket.socket) -> None:
    """Send ``x`` until the kernel takes no more."""
    sock.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            sock.send(b"x" * 10_000)
