"""The queue of new connections that ask for a stream. Other new connections are served first.

Opening a stream takes a third of a millisecond. When thousands of browsers reconnect at once, a
health check or a send on a new connection would wait behind all of them in the listener's queue.
Therefore the server accepts connections faster than it opens streams: in each round of the event
loop only a few of the connections that ask for a stream get a handler. Every other connection
gets a handler as soon as it is accepted.

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
"""The streams that get a handler in one round of the event loop: less than 3 ms of work."""

_PEEKED_BYTES = 8192
"""The bytes to peek at: more than the longest request line that a handler accepts."""

_PAUSE_SECONDS = 0.01
"""Seconds until the next attempt if no handler is free."""


class Arrivals:
    """The connections of one listener that wait until their request for a stream is handled.

    Args:
        is_stream: returns whether a method and a request target ask for a stream.
        room: returns how many connections may wait now. A connection that exceeds this number gets
            a handler at once.
        admit: gives a connection to a handler; returns False if no handler is free.
        open_stream: opens the stream of a connection without a handler; returns False if the
            connection needs one.
    """

    def __init__(
        self,
        is_stream: Callable[[str, str], bool],
        room: Callable[[], int],
        admit: Callable[[_socket.socket, Any], bool],
        open_stream: Callable[[_socket.socket, Any], bool] = lambda _sock, _address: False,
    ) -> None:
        self._is_stream = is_stream
        self._room = room
        self._admit = admit
        self._open_stream = open_stream
        # The waiting connections with their peers' addresses, oldest first.
        self._waiting: deque[tuple[_socket.socket, Any]] = deque()
        # The number of connections that got a handler in this round of the event loop.
        self._admitted = 0
        # Begins the next round; None if no round is scheduled.
        self._timer: Any = None

    def __len__(self) -> int:
        """Return the number of waiting connections."""
        return len(self._waiting)

    def take(self, sock: _socket.socket, address: Any) -> bool:
        """Open the stream that a new connection asks for, or queue the connection if it must wait.

        Args:
            sock: the socket of the connection. No bytes are consumed.
            address: the peer's address, as sockets return it.

        Returns:
            True if the stream is being opened, or the connection waits; the caller no longer owns
            the socket. False if the caller must serve the connection now.
        """
        if not self._asks_for_stream(sock):
            return False
        if not self._waiting and self._admitted < STREAMS_IN_A_ROUND:
            self._admitted += 1
            self._schedule_round(0)
            return self._open_stream(sock, address)
        if len(self._waiting) >= self._room():
            return False
        self._waiting.append((sock, address))
        self._schedule_round(0)
        return True

    def close(self) -> None:
        """Give every waiting connection to a handler; close those for which no handler is free."""
        self._stop()
        while self._waiting:
            sock, address = self._waiting.popleft()
            if not self._admit(sock, address):
                sock.close()

    def _asks_for_stream(self, sock: _socket.socket) -> bool:
        try:
            data = sock.recv(_PEEKED_BYTES, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except OSError:  # no bytes yet, or a broken connection
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
            elif self._open_stream(sock, address) or self._admit(sock, address):
                self._admitted += 1
            else:
                self._waiting.appendleft((sock, address))
                self._schedule_round(_PAUSE_SECONDS)
                return
        if self._admitted:
            self._schedule_round(0)

    def _schedule_round(self, seconds: float) -> None:
        if self._timer is None:
            self._timer = gevent.get_hub().loop.timer(seconds)
            self._timer.start(self._begin_round)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.close()
            self._timer = None


def _has_left(sock: _socket.socket) -> bool:
    """Return whether the client has hung up, even after sending its request.

    For a stream this means the end. Other clients may close their sending side after the request
    and still read the answer; :func:`gateway_shim.server.connections.lobby.has_left` is for them.
    """
    try:
        return peer_has_left(sock)
    except OSError:  # for example, a Unix socket: its handler notices
        return False
