"""Counts connections that are not streams, and chooses which of them to close for a new one.

A connection is in one of these states:

- *waiting*: the client must send the TLS handshake or the head of a request. A connection that
  waits between two requests is also *idle*.
- *receiving*: the client must send the body of its request.
- *working*: the request is being answered.

If a listener has too few free places, the connection that has been waiting longest is closed; if
none is waiting, the one that has been receiving longest. A flood of half-open connections or of
endless bodies therefore displaces itself, while a client that sends its request at once waits for
milliseconds.

Each connection is identified by its handler, the greenlet that serves it. All methods must be
called in the hub's thread.
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

from gateway_shim.server.connections.connection_groups import ConnectionGroup, Line, Place, Waiting
from gateway_shim.streams.gateway import Gateway
from gateway_shim.streams.refusal_counts import RefusalCounts, RefusalReason

__all__ = ["MadeRoom", "RequestConnections"]

_LOOKED_AT = 32
"""The number of waiting connections that are examined to find one that can be closed.

A connection on which bytes have arrived cannot be closed: its handler is about to run."""


class MadeRoom(ConnectionResetError):
    """A connection was closed to make room. gunicorn sees it as a client that hung up."""

    def __init__(self) -> None:
        super().__init__(errno.ECONNRESET, "the connection made room for another")


class RequestConnections:
    """The connections of a worker that are not streams.

    A handler calls :meth:`enter` first; then :meth:`wait`, :meth:`wait_idle`, :meth:`receive`, and
    :meth:`work` as its state changes; and :meth:`leave` before its descriptor is closed.

    Args:
        per_address: the maximum number of simultaneous connections from one address.
        limit_key: maps an address to the key under which limits count it; an empty key is not
            counted.
        refusals: counts the connections that were closed to make room.

    Attributes:
        refusals: the argument of the same name.
    """

    def __init__(
        self, per_address: int, limit_key: Callable[[str], str], refusals: RefusalCounts
    ) -> None:
        self._per_address = per_address
        self._limit_key = limit_key
        self.refusals = refusals
        self._lines: list[Line] = []
        self._places: dict[Any, Place] = {}  # by handler
        self._addresses: dict[str, ConnectionGroup] = {}  # by the key under which limits count

    @classmethod
    def of(cls, gateway: Gateway) -> RequestConnections:
        """Create the object for a gateway's worker, with the limit of the gateway's settings."""
        per_address = gateway.config.max_request_connections_per_address
        return cls(per_address, gateway.limit_key, gateway.refusals)

    def __contains__(self, handler: object) -> bool:
        """Return whether a handler has a place; False if its connection was closed."""
        return handler in self._places

    def __len__(self) -> int:
        """Return the number of connections."""
        return len(self._places)

    @property
    def working(self) -> int:
        """The number of connections that are not waiting for a request."""
        return len(self._places) - sum(len(line.waiting) for line in self._lines)

    def add_line(self, pool: Pool, size: int) -> Line:
        """Begin to count the connections of a listener; see :class:`Line`."""
        line = Line(pool, size)
        self._lines.append(line)
        return line

    @property
    def is_crowded(self) -> bool:
        """True if the calling handler's listener has so few free places that others make room."""
        place = self._places.get(gevent.getcurrent())
        return place is not None and place.line.is_crowded

    def must_send_head(self, line: Line, address: str, more: int = 0) -> bool:
        """Return whether a new connection must send its head before it gets a handler.

        Args:
            line: the connections of the listener.
            address: the address of the peer.
            more: the number of connections that the listener has beside these.
        """
        if line.count + more >= line.lobby_from:
            return True
        return self._has_reached_limit(self._limit_key(address))

    # ------------------------------------------------------------------ called by a handler

    def enter(self, line: Line, descriptor: int, address: str) -> bool:
        """Register a new connection as *waiting*. Another connection may be closed for it.

        Args:
            line: the connections of the listener.
            descriptor: the descriptor of the socket; must not change until :meth:`leave`.
            address: the address of the peer.

        Returns:
            False if there is no room; the caller must close the connection.
        """
        key = self._limit_key(address)
        if self._has_reached_limit(key):
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
        """Set the state of the calling handler's connection to *waiting*."""
        handler = gevent.getcurrent()
        self.work()
        for group in self._groups_of(self._places.get(handler)):
            group.waiting[handler] = None

    @contextmanager
    def receive(self) -> Iterator[None]:
        """Set the state to *receiving* inside a block.

        The calling handler waits for a body, or until its client has read the last answer.

        Raises:
            MadeRoom: the connection was closed to make room; replaces an exception of the block.
        """
        handler = gevent.getcurrent()
        self.work()
        place = self._places.get(handler)
        for group in self._groups_of(place):
            group.receiving[handler] = None
        # Also here: if all handlers are taken, no new connection calls enter().
        if place is not None and place.line.has_too_many:
            self._make_room(place.line, RefusalReason.CONNECTIONS)
        try:
            yield
        finally:
            self.work()
            if place is not None and handler not in self._places:
                raise MadeRoom

    def wait_idle(self) -> None:
        """Set the state to *idle*. At most half of a listener's connections may be idle."""
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
        """Set the state of the calling handler's connection to *working*."""
        handler = gevent.getcurrent()
        place = self._places.get(handler)
        if place is not None:
            self._end_waiting(handler, place)

    def leave(self) -> Place | None:
        """Remove the calling handler's connection: it ends, or it becomes a stream.

        Returns:
            The place, for :meth:`resume`; None if the connection was removed before.
        """
        return self._forget(gevent.getcurrent())

    def resume(self, place: Place) -> None:
        """Register a removed connection again, in the state *working*."""
        self._places[gevent.getcurrent()] = place
        if place.key:
            self._addresses.setdefault(place.key, ConnectionGroup())
        for group in self._groups_of(place):
            group.count += 1

    # ------------------------------------------------------------------ making room

    def close_longest(self) -> bool:
        """Close the connection that has been waiting longest; return whether there was one."""
        reason = RefusalReason.CONNECTIONS
        return any(self._make_room(line, reason) for line in self._lines)

    def close_idle(self) -> None:
        """Close all idle connections."""
        for line in self._lines:
            for handler in list(line.idle):
                self._close(handler)

    def _make_room(self, group: ConnectionGroup, reason: RefusalReason) -> bool:
        return self._close_longest(group.waiting, reason) or self._close_longest(
            group.receiving, reason
        )

    def _close_longest(self, waiting: Waiting, reason: RefusalReason) -> bool:
        for handler in list(islice(waiting, _LOOKED_AT)):
            place = self._places[handler]
            is_idle = handler in place.line.idle  # its request was answered: not counted
            if self._close(handler):
                if not is_idle:
                    self.refusals.add(reason)
                return True
        return False

    def _has_reached_limit(self, key: str) -> bool:
        """Return whether an address has reached its limit of connections."""
        crowd = self._addresses.get(key)
        return crowd is not None and crowd.count >= self._per_address

    def _close(self, handler: Any) -> bool:
        """Shut down the connection of a waiting handler, unless bytes have arrived on it.

        The shutdown tells the client about the end at once: otherwise the client could send a
        request that is never read. The shutdown also makes the descriptor readable, as if the
        client had hung up, which wakes the handler. Throwing an exception into the handler would
        be wrong: the exception could arrive after the handler has read a request.
        """
        # A second object for the descriptor works below TLS, so the TLS session is not changed.
        # Any family and type will do; giving them avoids system calls that look them up.
        descriptor = self._places[handler].descriptor
        plain = _socket.socket(socket.AF_INET, socket.SOCK_STREAM, 0, descriptor)
        try:
            plain.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            with contextlib.suppress(OSError):  # the client is gone; the handler will notice
                plain.shutdown(socket.SHUT_RDWR)
            self._forget(handler)
            return True
        except OSError:
            pass  # broken: the handler will notice
        finally:
            plain.detach()
        return False

    def _forget(self, handler: Any) -> Place | None:
        place = self._places.get(handler)
        if place is None:
            return None
        self._end_waiting(handler, place)
        del self._places[handler]
        for group in self._groups_of(place):
            group.count -= 1
        if place.key and not self._addresses[place.key].count:
            del self._addresses[place.key]
        return place

    def _end_waiting(self, handler: Any, place: Place) -> None:
        place.line.idle.pop(handler, None)
        for group in self._groups_of(place):
            group.waiting.pop(handler, None)
            group.receiving.pop(handler, None)

    def _groups_of(self, place: Place | None) -> tuple[ConnectionGroup, ...]:
        if place is None:
            return ()
        return (place.line, self._addresses[place.key]) if place.key else (place.line,)
