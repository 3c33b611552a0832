"""Connections that have sent nothing yet. For a moment they wait without a handler.

A server with little to do accepts a connection some microseconds before its request arrives. With a
handler, which begins by waiting, a connect would cost twice as much as one whose request is already
there. So the event loop watches such a connection, which costs little. Usually its request is there
in the next round, and the connection is served as if it had come with it. Otherwise it gets a
handler, which limits how long it may wait.

Everything here runs in the hub's thread, and nothing blocks.
"""

from __future__ import annotations

import _socket
import socket
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import gevent

__all__ = ["PATIENCE_SECONDS", "LateHeads"]

PATIENCE_SECONDS = 0.05
"""Seconds until a connection that sends nothing gets a handler; twice as many at most."""

_READABLE = 1  # libev's EV_READ


class _Late(NamedTuple):
    """A connection that is watched.

    Args:
        sock: its socket.
        address: the peer's address, as sockets return it.
        watcher: calls :meth:`LateHeads._begin` once there are bytes, or the client is gone.
        since: when it was accepted, by the clock.
    """

    sock: _socket.socket
    address: Any
    watcher: Any
    since: float


class LateHeads:
    """The connections of one listener that have sent nothing yet.

    Args:
        serve: serves a connection, whose socket it takes. The client has sent something, has left,
            or has sent nothing for some time.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        serve: Callable[[_socket.socket, Any], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._serve = serve
        self._clock = clock
        self._waiting: dict[int, _Late] = {}  # by descriptor, oldest first
        # Looks for connections that have waited long enough; None while none waits.
        self._timer: Any = None

    def __len__(self) -> int:
        """Return the number of waiting connections."""
        return len(self._waiting)

    def take(self, sock: _socket.socket, address: Any) -> bool:
        """Watch a new connection if it has sent nothing.

        Args:
            sock: the socket of the connection. No bytes are consumed.
            address: the peer's address, as sockets return it.

        Returns:
            False if it has sent something. The caller must serve it now.
        """
        try:
            sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            pass
        except OSError:  # broken: who serves it notices that
            return False
        else:
            return False
        loop = gevent.get_hub().loop
        descriptor = sock.fileno()
        watcher = loop.io(descriptor, _READABLE)
        self._waiting[descriptor] = _Late(sock, address, watcher, self._clock())
        watcher.start(self._begin, descriptor)
        if self._timer is None:
            self._timer = loop.timer(PATIENCE_SECONDS, PATIENCE_SECONDS)
            self._timer.start(self._look)
        return True

    def close(self) -> None:
        """Serve every waiting connection."""
        while self._waiting:
            self._begin(next(iter(self._waiting)))
        self._stop()

    def _begin(self, descriptor: int) -> None:
        late = self._waiting.pop(descriptor)
        late.watcher.stop()
        late.watcher.close()
        self._serve(late.sock, late.address)

    def _look(self) -> None:
        """Serve those that have waited long enough."""
        until = self._clock() - PATIENCE_SECONDS
        while self._waiting:
            descriptor, late = next(iter(self._waiting.items()))
            if late.since > until:
                return
            self._begin(descriptor)
        self._stop()

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.close()
            self._timer = None
