"""A relay between a client and a server, which can break connections in many ways."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable

import gevent

from tests.support.http.listener import Listener, reset

__all__ = ["Relay"]

_BYTES = 65536


class Relay(Listener):
    """A context manager that passes bytes on between a free port and a server.

    Args:
        connect: makes a connection to the server.

    Attributes:
        connect: the same; a change holds for the next connections.
        connections: the number of connections so far.
        drop_answers: the number of answers that are not passed on: the connection is broken
            instead. What the client has sent has reached the server.
        drop_after: the bytes that a client must have sent before its answers are dropped.
    """

    def __init__(self, connect: Callable[[], socket.socket]) -> None:
        super().__init__()
        self.connect = connect
        self.connections = 0
        self.drop_answers = 0
        self.drop_after = b""
        self._open: list[_Pair] = []

    def serve(self, client: socket.socket, address: object) -> None:
        """Pass bytes on until one side closes."""
        self.connections += 1
        try:
            server = self.connect()
        except OSError:
            reset([client])
            return
        pair = _Pair(client, server)
        self._open.append(pair)
        there = gevent.spawn(self._pass_on, pair, client, server)
        try:
            self._pass_on(pair, server, client)
        finally:
            there.kill()
            self._open.remove(pair)
            for each in (client, server):
                each.close()

    def go_silent(self) -> None:
        """Pass on nothing more on the open connections, and leave them open."""
        for pair in self._open:
            pair.is_silent = True

    def cut(self) -> None:
        """Break the open connections."""
        for pair in list(self._open):
            reset([pair.client])
            with contextlib.suppress(OSError):
                pair.server.shutdown(socket.SHUT_RDWR)

    def _pass_on(self, pair: _Pair, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(_BYTES):
                if pair.is_silent:
                    continue
                if source is pair.server and pair.asked and self.drop_answers:
                    self.drop_answers -= 1
                    reset([pair.client])
                    break
                if source is pair.client and self.drop_after in data:
                    pair.asked = True
                target.sendall(data)


class _Pair:
    """A connection of a client, and the one to the server for it."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.client = client
        self.server = server
        self.is_silent = False
        self.asked = False
