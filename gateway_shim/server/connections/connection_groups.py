"""Groups of connections that are counted together: by listener, and by client address."""

from __future__ import annotations

from typing import Any

from gevent.pool import Pool

__all__ = ["ConnectionGroup", "Line", "Place", "Waiting"]

_LOBBY_SHARE = 4
"""The divisor of a listener's size: from a quarter of the connections on, a new connection must
send its head before it gets a handler."""

Waiting = dict[Any, None]
"""Handlers in the order in which they began to wait, as the keys of a dictionary."""


class ConnectionGroup:
    """A group of connections, identified by their handlers.

    Attributes:
        count: the number of connections.
        waiting: the connections that wait for a handshake, a head, or the next request.
        receiving: the connections that wait for a body.
    """

    __slots__ = ("count", "receiving", "waiting")

    def __init__(self) -> None:
        self.count = 0
        self.waiting: Waiting = {}
        self.receiving: Waiting = {}


class Line(ConnectionGroup):
    """The connections of one listener.

    Args:
        pool: the handlers of the connections; over TLS also the handlers of streams.
        size: the maximum number of connections that are not streams.

    Attributes:
        pool: the handlers of the connections.
        size: the maximum number of connections that are not streams.
        reserve: the number of places to keep free for new connections.
        lobby_from: the number of connections from which on a new connection must send its head
            before it gets a handler.
        idle: the waiting connections that wait between two requests.
    """

    __slots__ = ("idle", "lobby_from", "pool", "reserve", "size")

    def __init__(self, pool: Pool, size: int) -> None:
        super().__init__()
        self.pool = pool
        self.size = size
        self.reserve = max(1, size // 10)
        self.lobby_from = max(1, size // _LOBBY_SHARE)
        self.idle: Waiting = {}

    @property
    def is_crowded(self) -> bool:
        """True if so few places are free that a waiting connection must make room."""
        return self.pool.free_count() < self.reserve or self.has_too_many

    @property
    def has_too_many(self) -> bool:
        """True if the number of connections alone is too high. It drops as soon as one closes."""
        return self.count > self.size - self.reserve


class Place:
    """The place of one connection.

    Args:
        line: the connections of the listener.
        descriptor: the descriptor of the socket.
        key: the key under which limits count the address; empty: it is not counted.
    """

    __slots__ = ("descriptor", "key", "line")

    def __init__(self, line: Line, descriptor: int, key: str) -> None:
        self.line = line
        self.descriptor = descriptor
        self.key = key
