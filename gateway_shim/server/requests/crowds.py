"""Connections that are counted together: those of one listener, those of one client address."""

from __future__ import annotations

from typing import Any

from gevent.pool import Pool

__all__ = ["Crowd", "Line", "Place", "Waiting"]

_MANY_SHARE = 4
"""From a quarter of the connections on, a new one must show its head for a handler."""

Waiting = dict[Any, None]
"""Handlers in the order in which they began to wait: a dictionary keeps it."""


class Crowd:
    """Some connections, by their handlers.

    Attributes:
        count: how many there are.
        waiting: those that wait for a handshake, a head, or a next request.
        receiving: those that wait for a body.
    """

    __slots__ = ("count", "receiving", "waiting")

    def __init__(self) -> None:
        self.count = 0
        self.waiting: Waiting = {}
        self.receiving: Waiting = {}


class Line(Crowd):
    """The connections of one listener.

    Args:
        pool: their handlers; over TLS those of streams, too.
        size: how many connections that are no stream there may be.

    Attributes:
        idle: those of the waiting ones that wait between two requests.
    """

    __slots__ = ("idle", "many", "pool", "reserve", "size")

    def __init__(self, pool: Pool, size: int) -> None:
        super().__init__()
        self.pool = pool
        self.size = size
        self.reserve = max(1, size // 10)
        self.many = max(1, size // _MANY_SHARE)
        self.idle: Waiting = {}

    @property
    def is_crowded(self) -> bool:
        """Whether so few places are left that a waiting connection must make room."""
        return self.pool.free_count() < self.reserve or self.has_too_many

    @property
    def has_too_many(self) -> bool:
        """Whether that is so by their number alone: it shrinks at once where one makes room."""
        return self.count > self.size - self.reserve


class Place:
    """What is known of one connection.

    Args:
        line: of its listener.
        descriptor: its socket's.
        key: what its address is counted as; empty: not at all.
    """

    __slots__ = ("descriptor", "key", "line")

    def __init__(self, line: Line, descriptor: int, key: str) -> None:
        self.line = line
        self.descriptor = descriptor
        self.key = key
