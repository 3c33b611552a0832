"""Keep-alive connections: their time limits and their end.

A proxy keeps connections to its backend open and sends its next request over one of them. If the
backend closes this connection at the same moment, the request is lost and the proxy answers 502.
Therefore the backend must wait longer than the proxy, so that the proxy closes first.

Idle connections must not take places from other clients; see
:mod:`gateway_shim.server.connections.request_connections`. A client that has sent many requests at
once must not delay other clients: all long work shares a part of each round of the event loop; see
:mod:`gateway_shim.event_loop.turns`.
"""

from __future__ import annotations

import ssl
import time
from types import TracebackType
from typing import Any, Literal

import gevent
from gevent.socket import wait_read
from gunicorn.util import close_graceful

from gateway_shim.event_loop.turns import let_others_run_if_due
from gateway_shim.server.connections.request_connections import RequestConnections
from gateway_shim.server.requests.request_line import empty_lines
from gateway_shim.streams.refusal_counts import RefusalCounts, RefusalReason

__all__ = ["GRACE_SECONDS", "HEAD_SECONDS", "HeadTimeout", "KeptConnections"]

HEAD_SECONDS = 5.0
"""The seconds that a client may take to send the head of a request after its first byte.

For the first request of a connection the time starts with the connection.
"""

GRACE_SECONDS = 1.0
"""The seconds that a connection is kept open longer than its answers announce, as in Node.

A request that the client sent at the last moment may still be on its way."""

_RECEIVE_BYTES = 8192

_LAST_REQUESTS_SECONDS = 2.0
"""The seconds that requests may continue after everything else has ended."""

_LAST_HEADS_SECONDS = 0.1
"""The seconds that the last accepted connections then have to send a head."""


class HeadTimeout(gevent.Timeout):
    """Ends a block without an exception after :data:`HEAD_SECONDS`, and counts the refusal.

    Args:
        refusals: counts the refusals.
    """

    def __init__(self, refusals: RefusalCounts) -> None:
        # False means "no exception"; the type in gevent's stub does not allow it.
        super().__init__(HEAD_SECONDS, False)  # type: ignore[arg-type]  # no error
        self._refusals = refusals

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> Literal[True] | None:
        """End the block."""
        if error is self:
            self._refusals.add(RefusalReason.SLOW_HEAD)
        return super().__exit__(kind, error, trace)


class KeptConnections:
    """The connections of a worker that are idle between two requests.

    Args:
        seconds: the idle time that answers announce.
        connections: counts the connections.
    """

    def __init__(self, seconds: float, connections: RequestConnections) -> None:
        # The longest time between two requests.
        self._seconds = seconds + GRACE_SECONDS
        self._connections = connections
        # True once close() was called: no connection may become idle.
        self._closed = False

    def wait(self, unreader: Any, sock: Any) -> bool:
        """Wait for the next request of a connection. Called by the connection's handler.

        Args:
            unreader: gunicorn's reader of the connection. Bytes that were read are put back.
            sock: the connection's socket.

        Returns:
            True if there are bytes to parse; False if the caller must close the connection.

        Raises:
            OSError: the connection is broken.
        """
        if self._closed:
            return False
        if data := _without_empty_lines(unreader.take_buffered()):
            unreader.unread(data)
            # A client that has sent many requests at once must not delay other clients.
            let_others_run_if_due()
            return True
        # Others have run while this waited. To let them run again would be once more than before
        # the first request of a connection, and requests that came later would overtake this one.
        data = self._wait(sock)
        unreader.unread(data)
        return bool(data)

    def end(self, sock: Any) -> None:
        """Close a connection on which unanswered requests may have arrived.

        Unread bytes would reset the connection, and the client could lose answers. Takes at most
        two seconds, and less if another connection needs the place.

        Args:
            sock: the connection's socket.
        """
        self._connections.wait()
        close_graceful(sock)
        self._connections.work()

    def close(self) -> None:
        """Close all idle connections, and do not let any connection become idle again."""
        self._closed = True
        self._connections.close_idle()

    def finish(self) -> None:
        """Wait at most two seconds until the last requests are answered; ignore idle clients."""
        now = time.monotonic()
        heads_by, deadline = now + _LAST_HEADS_SECONDS, now + _LAST_REQUESTS_SECONDS
        while len(self._connections):
            if time.monotonic() >= (deadline if self._connections.working else heads_by):
                break
            gevent.sleep(0.01)

    def _wait(self, sock: Any) -> bytes:
        """Wait for the next bytes of a connection; return no bytes if it must be closed."""
        connections = self._connections
        connections.wait_idle()
        timer = gevent.Timeout.start_new(self._seconds)
        try:
            while True:
                if not _pending(sock):
                    wait_read(sock.fileno())
                if gevent.getcurrent() not in connections:  # the connection was closed meanwhile
                    return b""
                received: bytes = sock.recv(_RECEIVE_BYTES)
                data = _without_empty_lines(received)
                if data or not received:
                    break
                let_others_run_if_due()
        except gevent.Timeout as exc:
            if exc is not timer:
                raise
            data = _receive_now(sock)
        finally:
            timer.close()
            connections.work()
        return data


def _without_empty_lines(data: bytes) -> bytes:
    """Remove empty lines before the next request: some clients send one after a body."""
    return data[empty_lines(data) :]


def _pending(sock: Any) -> bool:
    """Return whether a TLS session has read bytes from the descriptor that are not used yet."""
    return isinstance(sock, ssl.SSLSocket) and sock.pending() > 0


def _receive_now(sock: Any) -> bytes:
    """Read bytes that arrived when the time limit passed: a busy loop may notice both at once."""
    sock.settimeout(0)
    try:
        data: bytes = sock.recv(_RECEIVE_BYTES)
    except OSError:  # no bytes, or a broken connection: it is closed in both cases
        data = b""
    finally:
        sock.settimeout(None)
    return data
