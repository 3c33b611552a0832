"""Connections that are no stream: how many there are, and which one makes room for another.

A connection is *waiting* while the next thing has to come from its client: the TLS handshake, the
head of a request, or a next request at all (then it is also *idle*). It is *working* while its
request is answered. In between its body may have to come: it is *receiving*. Waiting connections
make room, the one that has waited longest first, and where there is none, receiving ones. So a
flood of half-open connections, or of bodies that do not end, displaces itself: a client that sends
its request at once waits for milliseconds.

Each connection is known by its handler, the greenlet that serves it. Used in the hub's thread.
"""

from __future__ import annotations

import _socket
import contextlib
import errno
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any

import gevent
from gevent.pool import Pool

from gateway_shim.server.requests.crowds import Crowd, Line, Place, Waiting
from gateway_shim.streams.gateway import Gateway
from gateway_shim.streams.refusal_counts import RefusalCounts, RefusalReason

__all__ = ["MadeRoom", "RequestConnections"]

_LOOKED_AT = 32
"""Waiting connections that are looked at for one that can be closed; those on which bytes have
arrived cannot, and their handlers are about to run."""


class MadeRoom(ConnectionResetError):
    """A connection was closed for another; to gunicorn, its client hung up."""

    def __init__(self) -> None:
        super().__init__(errno.ECONNRESET, "the connection made room for another")


class RequestConnections:
    """The connections of a worker that are no stream.

    A handler calls :meth:`enter`, then :meth:`wait`, :meth:`wait_idle`, :meth:`receive` and
    :meth:`work` in turn, and :meth:`leave` before its descriptor is closed.

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
        self._addresses: dict[str, Crowd] = {}

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

    @property
    def working(self) -> int:
        """The number of connections that do not wait for their clients' next request."""
        return len(self._places) - sum(len(line.waiting) for line in self._lines)

    def add_line(self, pool: Pool, size: int) -> Line:
        """Begin to count the connections of a listener; see :class:`Line`."""
        line = Line(pool, size)
        self._lines.append(line)
        return line

    @property
    def is_crowded(self) -> bool:
        """Whether the calling handler's listener has so few places left that others make room."""
        place = self._places.get(gevent.getcurrent())
        return place is not None and place.line.is_crowded

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
            has_room = self._make_room(self._addresses[key], reason)
        elif line.is_crowded:
            reason = RefusalReason.CONNECTIONS
            has_room = self._make_room(line, reason) or line.count < line.size
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
        for crowd in self._crowds_of(self._places.get(handler)):
            crowd.waiting[handler] = None

    @contextmanager
    def receive(self) -> Iterator[None]:
        """Say for the time of a block that the calling handler waits for a body, or for its
        client to take the last answer.

        Raises:
            MadeRoom: the connection was closed for another; instead of what the block raises.
        """
        handler = gevent.getcurrent()
        self.work()
        place = self._places.get(handler)
        for crowd in self._crowds_of(place):
            crowd.receiving[handler] = None
        # Here, too: where all handlers are taken, no connection enters.
        if place is not None and place.line.has_too_many:
            self._make_room(place.line, RefusalReason.CONNECTIONS)
        try:
            yield
        finally:
            self.work()
            if place is not None and handler not in self._places:
                raise MadeRoom

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
            self._make_room(line, RefusalReason.CONNECTIONS)

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
        if place.key:
            self._addresses.setdefault(place.key, Crowd())
        for crowd in self._crowds_of(place):
            crowd.count += 1

    # ------------------------------------------------------------------ making room

    def close_longest(self) -> bool:
        """Close the connection that has waited longest; return whether there was one."""
        reason = RefusalReason.CONNECTIONS
        return any(self._make_room(line, reason) for line in self._lines)

    def close_idle(self) -> None:
        """Close all idle connections."""
        for line in self._lines:
            for handler in list(line.idle):
                self._close(handler)

    def _make_room(self, crowd: Crowd, reason: RefusalReason) -> bool:
        return self._close_longest(crowd.waiting, reason) or self._close_longest(
            crowd.receiving, reason
        )

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
        for crowd in self._crowds_of(place):
            crowd.count -= 1
        if place.key and not self._addresses[place.key].count:
            del self._addresses[place.key]
        return place

    def _end_waiting(self, handler: Any, place: Place) -> None:
        place.line.idle.pop(handler, None)
        for crowd in self._crowds_of(place):
            crowd.waiting.pop(handler, None)
            crowd.receiving.pop(handler, None)

    def _crowds_of(self, place: Place | None) -> tuple[Crowd, ...]:
        if place is None:
            return ()
        return (place.line, self._addresses[place.key]) if place.key else (place.line,)
