"""A relay between a browser and a server, whose connections a test can break."""

from __future__ import annotations

import socket

import gevent

from tests.support.http.listener import Listener, reset

__all__ = ["BreakingRelay"]


class BreakingRelay(Listener):
    """A context manager that forwards connections to a server, and breaks them on request.

    Args:
        server: the port of the server, on 127.0.0.1.
    """

    def __init__(self, server: int) -> None:
        super().__init__()
        self._server = server
        self._open: set[socket.socket] = set()

    def break_connections(self) -> int:
        """Reset all connections on both sides, and return the number of sides."""
        return reset(self._open)

    def serve(self, browser: socket.socket, _: object) -> None:
        """Answer a browser."""
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
