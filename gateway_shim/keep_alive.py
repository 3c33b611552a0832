"""Connections that are kept open between two requests: how long, how many, and how they end.

A proxy keeps connections to its backend and sends the next request over one of them. If the
backend closes that connection in the same moment, the request is lost, and the proxy answers 502.
So the proxy has to be the one that closes, and the backend has to wait longer than the proxy does.

An idle connection must not cost anybody else a place. The longest idle one is closed when there
are too many of them, and when the handlers of a listener run out.

Everything here runs in the hub's thread.
"""

from __future__ import annotations

import _socket
import contextlib
import socket
import ssl
from collections.abc import Callable
from typing import Any

import gevent
from gevent.pool import Pool
from gevent.socket import wait_read

__all__ = ["HEAD_SECONDS", "KeptConnections"]

HEAD_SECONDS = 5.0
"""Seconds that a client may take for the head of a request, from its first byte on.

For the first request of a connection the time runs from the start of the connection.
"""

_RECEIVE_BYTES = 8192


class KeptConnections:
    """The connections of a worker that are idle between two requests.

    Args:
        seconds: how long a connection may be idle.
        limit: says how many connections may be idle now.
    """

    def __init__(self, seconds: float, limit: Callable[[], int]) -> None:
        self._seconds = seconds
        self._limit = limit
        self._pools: list[Pool] = []
        # A dictionary keeps its order: the connection that has been idle longest is the first.
        self._idle: dict[Any, Any] = {}
        self._closed = False

    def __len__(self) -> int:
        """Count the idle connections."""
        return len(self._idle)

    def watch(self, pool: Pool) -> None:
        """Keep a tenth of a pool of handlers free of idle connections.

        Args:
            pool: the handlers of one listener. Each idle connection occupies one of them.
        """
        self._pools.append(pool)

    def wait(self, unreader: Any, sock: Any) -> bool:
        """Wait for the next request of a connection. Called by the connection's handler.

        Args:
            unreader: gunicorn's reader of the connection. It gets back what was read.
            sock: the connection's socket.

        Returns:
            True if there is something to parse; False if the connection is to be closed.

        Raises:
            OSError: the connection is broken.
        """
        # A client that has sent many requests at once must not keep all others waiting.
        gevent.sleep(0)
        if self._closed:
            return False
        data = unreader.take_buffered() or self._wait(sock)
        unreader.unread(data)
        return bool(data)

    def make_room(self) -> None:
        """Close the connections that have been idle longest, where others need the place."""
        for _ in range(len(self._idle) - self._limit()):
            self._close_longest()
        for pool in self._pools:
            if pool.free_count() < max(1, (pool.size or 0) // 10):
                self._close_longest(pool)

    def close(self) -> None:
        """Close all idle connections, and let none become idle any more."""
        self._closed = True
        for handler in list(self._idle):
            self._close(handler)

    def _wait(self, sock: Any) -> bytes:
        """Wait for the next bytes of a connection; none if it is to be closed."""
        handler = gevent.getcurrent()
        self._idle[handler] = sock
        self.make_room()
        timer = gevent.Timeout.start_new(self._seconds)
        try:
            if not _pending(sock):
                wait_read(sock.fileno())
            if handler not in self._idle:  # woken by _close
                return b""
            data: bytes = sock.recv(_RECEIVE_BYTES)
        except gevent.Timeout as exc:
            if exc is not timer:
                raise
            data = _receive_now(sock)
        finally:
            timer.close()
            self._idle.pop(handler, None)
        return data

    def _close_longest(self, pool: Pool | None = None) -> None:
        for handler in list(self._idle):
            if (pool is None or handler in pool) and self._close(handler):
                return

    def _close(self, handler: Any) -> bool:
        """End one handler's waiting, unless a request has arrived.

        The client learns of the end at once: until the handler had closed the connection, the
        client could send a request that nobody reads. And the descriptor becomes readable, as if
        the client had hung up. Throwing an exception into the handler would not do: it could hit
        the handler after it has read a request.
        """
        # Another object for the descriptor: it works below TLS, so that the session sees nothing.
        plain = _socket.socket(fileno=self._idle[handler].fileno())
        try:
            plain.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            with contextlib.suppress(OSError):  # the client is gone, and the handler sees it
                plain.shutdown(socket.SHUT_RDWR)
            del self._idle[handler]
            return True
        except OSError:
            pass  # broken: the handler is about to see it
        finally:
            plain.detach()
        return False


def _pending(sock: Any) -> bool:
    """Return whether a TLS session holds bytes that the descriptor does not show any more."""
    return isinstance(sock, ssl.SSLSocket) and sock.pending() > 0


def _receive_now(sock: Any) -> bytes:
    """Read what has arrived while the time ran out; a busy loop may see both at once."""
    sock.settimeout(0)
    try:
        data: bytes = sock.recv(_RECEIVE_BYTES)
    except OSError:  # nothing is there, or the connection is broken: it is closed either way
        data = b""
    finally:
        sock.settimeout(None)
    return data
