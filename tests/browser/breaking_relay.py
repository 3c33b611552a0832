"""A relay between a browser and a server, whose connections a test can break."""

from __future__ import annotations

import socket
import struct
from types import TracebackType
from typing import Self

import gevent
from gevent.server import StreamServer

__all__ = ["BreakingRelay"]

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class BreakingRelay:
    """A context manager that forwards connections to a server, and breaks them on request.

    Args:
        server: the port of the server, on 127.0.0.1.
    """

    def __init__(self, server: int) -> None:
        self._server = server
        self._open: set[socket.socket] = set()
        self._listener = StreamServer(("127.0.0.1", 0), self._forward)

    def __enter__(self) -> Self:
        """Start to forward connections."""
        self._listener.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop, and break the open connections."""
        self._listener.stop(timeout=0)

    @property
    def port(self) -> int:
        """The port where the relay listens."""
        port = self._listener.server_port
        assert port is not None
        return port

    def break_connections(self) -> int:
        """Reset all connections on both sides, and return the number of sides."""
        broken = len(self._open)
        for side in self._open:
            side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            side.shutdown(socket.SHUT_RDWR)  # wakes the greenlet that reads, which then closes
        return broken

    def _forward(self, browser: socket.socket, _: object) -> None:
        try:
            server = socket.create_connection(("127.0.0.1", self._server))
        except OSError:  # the server is being restarted
            return
        sides = {browser, server}
        self._open |= sides
        with server:
            directions = [
                gevent.spawn(_copy, browser, server),
                gevent.spawn(_copy, server, browser),
            ]
            try:
                gevent.joinall(directions, count=1)
            finally:
                gevent.killall(directions)
                self._open -= sides


def _copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
    except OSError:
        return
