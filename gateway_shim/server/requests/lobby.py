"""Connections that wait for their head before they get a handler, once there are many.

A handler costs about 100 µs to start and to end, so a flood of half-open connections could come in
faster than it can be displaced, and everybody else would wait behind it in the listener's queue. In
the lobby such a connection costs a quarter of that. A client that sends its request at once, as
browsers and proxies do, is there for milliseconds, or not at all.

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
"""Seconds between two looks at those who have just come."""

_FRESH_SECONDS = 0.05
"""How long a connection has just come: a head that is sent at once is there by then."""

_PAUSE_FOR_EACH = 0.00002
"""Seconds without a look at all, for each of them. A look takes 1 µs: a twentieth of the loop."""

_PEEKED_BYTES = 24 * 1024
"""As much of a head as is ever read, and more: a longer one is for its handler to refuse."""

_HANDSHAKE = b"\x16"
"""The type of the TLS record that a session begins with (RFC 8446, section 5.1)."""

_RECORD_HEADER_BYTES = 5


def has_left(sock: _socket.socket) -> bool:
    """Return whether a new connection's client is gone, so that nobody would see an answer.

    Args:
        sock: of a new connection. Nothing is taken from it.
    """
    try:
        # A reset shows behind the bytes that came before it only so.
        if sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            return True
        return not sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return True


def has_begun(sock: _socket.socket, *, tls: bool) -> bool:
    """Return whether a handler would have something to do, and not only to wait.

    Args:
        sock: of a new connection. Nothing is taken from it.
        tls: whether a TLS handshake comes first.

    Returns:
        True if the first head, or the client's first TLS record, is there whole; also if the
        client is gone, or has sent what can be neither.
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
        room: says how many there may be now; beyond that the one that came first is closed.
        seconds: how long each of them may wait.
        has_begun: says whether a connection may go to a handler.
        admit: gives a connection to a handler; False if there is none just now.
        refusals: counts those that were closed.
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
        self._waiting: deque[tuple[float, _socket.socket, Any]] = deque()
        self._look_at_all = 0.0
        self._timer: Any = None

    def __len__(self) -> int:
        """Count those who wait."""
        return len(self._waiting)

    def add(self, sock: _socket.socket, address: Any) -> None:
        """Have a connection wait.

        Args:
            sock: its socket; the lobby's from now on.
            address: the peer's, as sockets give it.
        """
        self._waiting.append((self._clock(), sock, address))
        self.make_room()
        if self._timer is None and self._waiting:
            self._timer = gevent.get_hub().loop.timer(_LOOK_SECONDS, _LOOK_SECONDS)
            self._timer.start(self.look)

    def make_room(self) -> None:
        """Close those who came first, where there are too many."""
        for _ in range(len(self._waiting) - self._room()):
            self._refuse(self._waiting.popleft()[1], RefusalReason.CONNECTIONS)

    def look(self) -> None:
        """Admit those whose head has come, and close those whose time is over.

        Those who have just come are looked at each time, the others less often if they are many.
        """
        now = self._clock()
        oldest = now - _FRESH_SECONDS
        if now >= self._look_at_all:
            self._look_at_all = now + len(self._waiting) * _PAUSE_FOR_EACH
            oldest = -math.inf
        looked_at = []
        while self._waiting and self._waiting[-1][0] >= oldest:
            looked_at.append(self._waiting.pop())
        for entry in reversed(looked_at):
            came, sock, address = entry
            if self._has_begun(sock) and self._admit(sock, address):
                continue
            if now - came >= self._seconds:
                self._refuse(sock, RefusalReason.SLOW_HEAD)
            else:
                self._waiting.append(entry)
        if not self._waiting:
            self._stop()

    def close(self) -> None:
        """Close all of them."""
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
