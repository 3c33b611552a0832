"""Connections that are no stream: how many there are, and which one makes room for another.

A connection is *waiting* while the next thing has to come from its client: the TLS handshake, the
head of a request, or a next request at all (then it is also *idle*). It is *working* while its
request is read and answered. Only waiting connections make room, the one that has waited longest
first, so a flood of half-open connections displaces itself: a client that sends its head at once
waits for milliseconds.

Each connection is known by its handler, the greenlet that serves it. Used in the hub's thread.
"""

from __future__ import annotations

import _socket
import contextlib
import socket
from collections.abc import Callable
from itertools import islice
from typing import TYPE_CHECKING, Any

import gevent
from gevent.pool import Pool

from gateway_shim.refusal_counts import RefusalCounts, RefusalReason

if TYPE_CHECKING:
    from gateway_shim.gateway import Gateway

__all__ = ["Line", "Place", "RequestConnections"]

_MANY_SHARE = 4
"""From a quarter of the connections on, a new one must show its head for a handler."""

_LOOKED_AT = 32
"""Waiting connections that are looked at for one that can be closed; those on which bytes have
arrived cannot, and their handlers are about to run."""

Waiting = dict[Any, None]
"""Handlers in the order in which they began to wait: a dictionary keeps it."""


class Line:
    """The connections of one listener.

    Args:
        pool: their handlers; over TLS those of streams, too.
        size: how many connections that are no stream there may be.
    """

    __slots__ = ("count", "idle", "many", "pool", "reserve", "size", "waiting")

    def __init__(self, pool: Pool, size: int) -> None:
        self.pool = pool
        self.size = size
        self.reserve = max(1, size // 10)
        self.many = max(1, size // _MANY_SHARE)
        self.count = 0
        self.waiting: Waiting = {}
        self.idle: Waiting = {}

    @property
    def is_crowded(self) -> bool:
        """Whether so few places are left that a waiting connection must make room."""
        return self.pool.free_count() < self.reserve or self.count > self.size - self.reserve


class _Address:
    """The connections of one client address."""

    __slots__ = ("count", "waiting")

    def __init__(self) -> None:
        self.count = 0
        self.waiting: Waiting = {}


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


class RequestConnections:
    """The connections of a worker that are no stream.

    A handler calls :meth:`enter`, then :meth:`wait`, :meth:`wait_idle` and :meth:`work` in turn,
    and :meth:`leave` before its descriptor is closed.

    Args:
        per_address: connections at a time from one address.
        limit_key: returns what an address is counted as; empty: it is not counted.
        refusals: counts the connections that were closed for others.

    Attributes:
        refusals: the same.
    """

    def __init__(
        self, per_address: int, limit_key: Callable[[str], str], refusals: RefusalCounts
    ) -> None:
        self._per_address = per_address
        self._limit_key = limit_key
        self.refusals = refusals
        self._lines: list[Line] = []
        self._places: dict[Any, Place] = {}
        self._addresses: dict[str, _Address] = {}

    @classmethod
    def of(cls, gateway: Gateway) -> RequestConnections:
        """Make them for the worker of a gateway, with its limit."""
        per_address = gateway.config.max_request_connections_per_address
        return cls(per_address, gateway.limit_key, gateway.refusals)

    def __contains__(self, handler: object) -> bool:
        """Return whether a handler has a place, and was not told to end."""
        return handler in self._places

    def __len__(self) -> int:
        """Count the connections."""
        return len(self._places)

    def add_line(self, pool: Pool, size: int) -> Line:
        """Begin to count the connections of a listener; see :class:`Line`."""
        line = Line(pool, size)
        self._lines.append(line)
        return line

    @property
    def is_crowded(self) -> bool:
        """Whether a listener has so few places left that others must make room."""
        return any(line.is_crowded for line in self._lines)

    def are_many(self, line: Line, address: str) -> bool:
        """Return whether there are so many that one more must show its head for a handler.

        Args:
            line: of its listener.
            address: its peer's.
        """
        return line.count >= line.many or self._has_all(self._limit_key(address))

    # ------------------------------------------------------------------ told by a handler

    def enter(self, line: Line, descriptor: int, address: str) -> bool:
        """Begin a connection, which waits for its client. Others may have to make room.

        Args:
            line: of its listener.
            descriptor: its socket's; stays the same until :meth:`leave`.
            address: its peer's.

        Returns:
            False if there is no room for it: close it.
        """
        key = self._limit_key(address)
        if self._has_all(key):
            reason = RefusalReason.CONNECTIONS_PER_ADDRESS
            has_room = self._close_longest(self._addresses[key].waiting, reason)
        elif line.is_crowded:
            reason = RefusalReason.CONNECTIONS
            has_room = self._close_longest(line.waiting, reason) or line.count < line.size
        else:
            has_room = True
        if has_room:
            self.resume(Place(line, descriptor, key))
            self.wait()
        else:
            self.refusals.add(reason)
        return has_room

    def wait(self) -> None:
        """Say that the calling handler waits from now on."""
        handler = gevent.getcurrent()
        self.work()
        place = self._places.get(handler)
        if place is None:
            return
        place.line.waiting[handler] = None
        if place.key:
            self._addresses[place.key].waiting[handler] = None

    def wait_idle(self) -> None:
        """Say that the calling handler waits between two requests. Half of a line may be idle."""
        handler = gevent.getcurrent()
        self.wait()
        place = self._places.get(handler)
        if place is None:
            return
        line = place.line
        line.idle[handler] = None
        if len(line.idle) > line.size // 2:
            self._close_longest(line.idle, RefusalReason.CONNECTIONS)
        elif line.is_crowded:
            self._close_longest(line.waiting, RefusalReason.CONNECTIONS)

    def work(self) -> None:
        """Say that the calling handler does not wait any more."""
        handler = gevent.getcurrent()
        place = self._places.get(handler)
        if place is not None:
            self._end_waiting(handler, place)

    def leave(self) -> Place | None:
        """End the calling handler's connection, or hand it over: a stream is counted elsewhere.

        Returns:
            The place, for :meth:`resume`; None if there is none any more.
        """
        return self._forget(gevent.getcurrent())

    def resume(self, place: Place) -> None:
        """Go on with a connection that has left, as one that works."""
        self._places[gevent.getcurrent()] = place
        place.line.count += 1
        if place.key:
            self._addresses.setdefault(place.key, _Address()).count += 1

    # ------------------------------------------------------------------ making room

    def close_longest(self) -> bool:
        """Close the connection that has waited longest; return whether there was one."""
        reason = RefusalReason.CONNECTIONS
        return any(self._close_longest(line.waiting, reason) for line in self._lines)

    def close_idle(self) -> None:
        """Close all idle connections."""
        for line in self._lines:
            for handler in list(line.idle):
                self._close(handler)

    def _close_longest(self, waiting: Waiting, reason: RefusalReason) -> bool:
        for handler in list(islice(waiting, _LOOKED_AT)):
            place = self._places[handler]
            is_idle = handler in place.line.idle  # such a client has had what it asked for
            if self._close(handler):
                if not is_idle:
                    self.refusals.add(reason)
                return True
        return False

    def _has_all(self, key: str) -> bool:
        """Return whether an address has as many connections as it may have."""
        known = self._addresses.get(key)
        return known is not None and known.count >= self._per_address

    def _close(self, handler: Any) -> bool:
        """End one handler's waiting, unless something has arrived from its client.

        The client learns of the end at once: until the handler had closed the connection, the
        client could send a request that nobody reads. And the descriptor becomes readable, as if
        the client had hung up. Throwing an exception into the handler would not do: it could hit
        the handler after it has read a request.
        """
        # Another object for the descriptor: it works below TLS, so that the session sees nothing.
        # With a family and a type, whichever, the kernel is not asked for them.
        descriptor = self._places[handler].descriptor
        plain = _socket.socket(socket.AF_INET, socket.SOCK_STREAM, 0, descriptor)
        try:
            plain.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            with contextlib.suppress(OSError):  # the client is gone, and the handler sees it
                plain.shutdown(socket.SHUT_RDWR)
            self._forget(handler)
            return True
        except OSError:
            pass  # broken: the handler is about to see it
        finally:
            plain.detach()
        return False

    def _forget(self, handler: Any) -> Place | None:
        place = self._places.get(handler)
        if place is None:
            return None
        self._end_waiting(handler, place)
        del self._places[handler]
        place.line.count -= 1
        if place.key:
            address = self._addresses[place.key]
            address.count -= 1
            if not address.count:
                del self._addresses[place.key]
        return place

    def _end_waiting(self, handler: Any, place: Place) -> None:
        place.line.waiting.pop(handler, None)
        place.line.idle.pop(handler, None)
        if place.key:
            self._addresses[place.key].waiting.pop(handler, None)
