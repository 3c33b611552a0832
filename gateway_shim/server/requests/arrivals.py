"""Requests for streams on new connections, which let everybody else go first.

To open a stream takes a third of a millisecond. Where thousands of browsers come back at once, a
health check or a send on a new connection would wait behind them all in the listener's queue. So
connections are accepted faster than streams are opened, and a few of those that ask for a stream
get a handler in each round of the event loop. All others get one as soon as they come.

Everything here runs in the hub's thread, and nothing blocks.
"""

from __future__ import annotations

import _socket
import socket
from collections import deque
from collections.abc import Callable
from typing import Any

import gevent

from gateway_shim.event_loop.tcp import peer_has_left

__all__ = ["STREAMS_IN_A_ROUND", "Arrivals"]

STREAMS_IN_A_ROUND = 8
"""Streams that get a handler in one round of the event loop: less than 3 ms of work."""

_PEEKED_BYTES = 8192
"""The longest first line of a request and more; a longer one is for its handler to refuse."""

_PAUSE_SECONDS = 0.01
"""Seconds until the next try where no handler is free."""


class Arrivals:
    """The connections of one listener whose requests for streams have to wait.

    Args:
        is_stream: says whether a method and a request target ask for a stream.
        room: says how many may wait now. Who comes when they are too many gets a handler at once.
        admit: gives a connection to a handler; False if there is none just now.
    """

    def __init__(
        self,
        is_stream: Callable[[str, str], bool],
        room: Callable[[], int],
        admit: Callable[[_socket.socket, Any], bool],
    ) -> None:
        self._is_stream = is_stream
        self._room = room
        self._admit = admit
        self._waiting: deque[tuple[_socket.socket, Any]] = deque()
        self._admitted = 0  # in this round of the loop
        self._timer: Any = None

    def __len__(self) -> int:
        """Count those who wait."""
        return len(self._waiting)

    def take(self, sock: _socket.socket, address: Any) -> bool:
        """Put a new connection in the line if it asks for a stream and it is not its turn.

        Args:
            sock: its socket. Nothing is taken from it.
            address: the peer's, as sockets give it.

        Returns:
            Whether it waits, and the socket is no longer the caller's. If not, it is to be served
            now.
        """
        if not self._asks_for_stream(sock):
            return False
        if not self._waiting and self._admitted < STREAMS_IN_A_ROUND:
            self._admitted += 1
            self._look_again(0)
            return False
        if len(self._waiting) >= self._room():
            return False
        self._waiting.append((sock, address))
        self._look_again(0)
        return True

    def close(self) -> None:
        """Give all of them to handlers, and close those for whom there is none."""
        self._stop()
        while self._waiting:
            sock, address = self._waiting.popleft()
            if not self._admit(sock, address):
                sock.close()

    def _asks_for_stream(self, sock: _socket.socket) -> bool:
        try:
            data = sock.recv(_PEEKED_BYTES, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except OSError:  # nothing there yet, or a broken connection
            return False
        method, _, rest = data.partition(b" ")
        target, space, _ = rest.partition(b" ")
        return bool(space) and self._is_stream(method.decode("latin-1"), target.decode("latin-1"))

    def _begin_round(self) -> None:
        self._stop()
        self._admitted = 0
        while self._waiting and self._admitted < STREAMS_IN_A_ROUND:
            sock, address = self._waiting.popleft()
            if _has_left(sock):
                sock.close()
            elif self._admit(sock, address):
                self._admitted += 1
            else:
                self._waiting.appendleft((sock, address))
                self._look_again(_PAUSE_SECONDS)
                return
        if self._admitted:
            self._look_again(0)

    def _look_again(self, seconds: float) -> None:
        if self._timer is None:
            self._timer = gevent.get_hub().loop.timer(seconds)
            self._timer.start(self._begin_round)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.close()
            self._timer = None


def _has_left(sock: _socket.socket) -> bool:
    """Return whether the client has hung up, also behind its request: a stream ends with that.

    A client of another kind may close its side after the request, and still read the answer:
    :func:`gateway_shim.server.requests.lobby.has_left` is for those.
    """
    try:
        return peer_has_left(sock)
    except OSError:  # a Unix socket, say: its handler sees it
        return False
