"""Connections that must send the head of their request before they get a handler.

The lobby is used while a listener has many connections. To start and to end a handler takes about
100 µs, so a flood of half-open connections could arrive faster than it can be displaced, and all
other clients would wait behind it in the listener's queue. In the lobby such a connection costs a
quarter of that time. A client that sends its request at once, as browsers and proxies do, stays in
the lobby for milliseconds or does not enter it.

Everything here runs in the hub's thread, and nothing blocks.
"""

from __future__ import annotations

import _socket
import math
import socket
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import gevent

from gateway_shim.streams.refusal_counts import RefusalCounts, RefusalReason

__all__ = ["Lobby", "has_begun", "has_left"]

_LOOK_SECONDS = 0.01
"""Seconds between two checks of the newest connections."""

_FRESH_SECONDS = 0.05
"""The seconds for which a connection is new: a head that is sent at once arrives in that time."""

_PAUSE_FOR_EACH = 0.00002
"""The pause between two checks of all connections: this many seconds for each connection.

A check takes 1 µs, so the checks take a twentieth of the loop's time."""

_PEEKED_BYTES = 24 * 1024
"""The bytes to peek at: the largest head that a handler reads. A longer head is refused."""

_HANDSHAKE = b"\x16"
"""The type of the TLS record that a session begins with (RFC 8446, section 5.1)."""

_RECORD_HEADER_BYTES = 5


def has_left(sock: _socket.socket) -> bool:
    """Return whether the client of a new connection is gone, so that no answer can be delivered.

    Args:
        sock: the socket of the connection. No bytes are consumed.
    """
    try:
        # After unread bytes, a reset is visible only here.
        if sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            return True
        return not sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return True


def has_begun(sock: _socket.socket, *, tls: bool) -> bool:
    """Return whether a handler could do more than wait.

    Args:
        sock: the socket of a new connection. No bytes are consumed.
        tls: whether the connection begins with a TLS handshake.

    Returns:
        True if the first head, or the client's first TLS record, has arrived completely. Also true
        if the client is gone, or has sent bytes that can be neither.
    """
    try:
        data = sock.recv(_PEEKED_BYTES, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return True
    if not data or len(data) == _PEEKED_BYTES:
        return True
    if not tls:
        return b"\r\n\r\n" in data
    if not data.startswith(_HANDSHAKE):
        return True
    length = int.from_bytes(data[3:_RECORD_HEADER_BYTES], "big")
    return len(data) >= _RECORD_HEADER_BYTES + length


class Lobby:
    """The connections of one listener that have no handler yet.

    Args:
        room: returns how many connections may wait now. If there are more, the oldest are closed.
        seconds: the time that each connection may wait.
        has_begun: returns whether a connection may get a handler.
        admit: gives a connection to a handler; returns False if no handler is free.
        refusals: counts the closed connections.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        room: Callable[[], int],
        seconds: float,
        has_begun: Callable[[_socket.socket], bool],
        admit: Callable[[_socket.socket, Any], bool],
        refusals: RefusalCounts,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._room = room
        self._seconds = seconds
        self._has_begun = has_begun
        self._admit = admit
        self._refusals = refusals
        self._clock = clock
        # The time of arrival, socket and peer's address of each connection, oldest first.
        self._waiting: deque[tuple[float, _socket.socket, Any]] = deque()
        # The time of the next check of all connections, by the clock.
        self._next_full_check = 0.0
        # Calls look(); None while no connection waits.
        self._timer: Any = None

    def __len__(self) -> int:
        """Return the number of waiting connections."""
        return len(self._waiting)

    def add(self, sock: _socket.socket, address: Any) -> None:
        """Add a connection.

        Args:
            sock: the socket of the connection. The lobby owns it from now on.
            address: the peer's address, as sockets return it.
        """
        self._waiting.append((self._clock(), sock, address))
        self.make_room()
        if self._timer is None and self._waiting:
            self._timer = gevent.get_hub().loop.timer(_LOOK_SECONDS, _LOOK_SECONDS)
            self._timer.start(self.look)

    def make_room(self) -> None:
        """Close the oldest connections if there are too many."""
        for _ in range(len(self._waiting) - self._room()):
            self._refuse(self._waiting.popleft()[1], RefusalReason.CONNECTIONS)

    def look(self) -> None:
        """Admit connections whose head has arrived, and close those whose time is over.

        New connections are checked each time; the others are checked less often if there are many.
        """
        now = self._clock()
        oldest = now - _FRESH_SECONDS
        if now >= self._next_full_check:
            self._next_full_check = now + len(self._waiting) * _PAUSE_FOR_EACH
            oldest = -math.inf
        checked = []
        while self._waiting and self._waiting[-1][0] >= oldest:
            checked.append(self._waiting.pop())
        for entry in reversed(checked):
            arrived_at, sock, address = entry
            if self._has_begun(sock) and self._admit(sock, address):
                continue
            if now - arrived_at >= self._seconds:
                self._refuse(sock, RefusalReason.SLOW_HEAD)
            else:
                self._waiting.append(entry)
        if not self._waiting:
            self._stop()

    def close(self) -> None:
        """Close all connections."""
        self._stop()
        while self._waiting:
            self._waiting.popleft()[1].close()

    def _refuse(self, sock: _socket.socket, reason: RefusalReason) -> None:
        sock.close()
        self._refusals.add(reason)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.close()
            self._timer = None
