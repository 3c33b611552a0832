"""Connections that are kept open between two requests, and how long a client may take.

A proxy keeps connections to its backend and sends the next request over one of them. If the
backend closes that connection in the same moment, the request is lost, and the proxy answers 502.
So the proxy has to be the one that closes, and the backend has to wait longer than the proxy does.

An idle connection must not cost anybody else a place;
:mod:`gateway_shim.server.requests.connections` sees to that. A client that has many requests ready
must not cost anybody else the time: all long work shares a slice of each round of the event loop
(:mod:`gateway_shim.event_loop.turns`).
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
from gateway_shim.server.requests.connections import RequestConnections
from gateway_shim.server.requests.request_line import empty_lines
from gateway_shim.streams.refusal_counts import RefusalCounts, RefusalReason

__all__ = ["GRACE_SECONDS", "HEAD_SECONDS", "HeadTimeout", "KeptConnections"]

HEAD_SECONDS = 5.0
"""Seconds that a client may take for the head of a request, from its first byte on.

For the first request of a connection the time runs from the start of the connection.
"""

GRACE_SECONDS = 1.0
"""A connection is kept so much longer than its answers say, as in Node: a request that a client
has sent in the last moment is still on its way."""

_RECEIVE_BYTES = 8192

_LAST_REQUESTS_SECONDS = 2.0
"""How long requests that are being answered may go on after everything else has ended."""

_LAST_HEADS_SECONDS = 0.1
"""How long a connection that was accepted last may take for its head then."""


class HeadTimeout(gevent.Timeout):
    """Ends a block without an exception after :data:`HEAD_SECONDS`, and counts that.

    Args:
        refusals: where it is counted.
    """

    def __init__(self, refusals: RefusalCounts) -> None:
        # False: without an exception, which the type of gevent's stub lacks.
        super().__init__(HEAD_SECONDS, False)  # type: ignore[arg-type]
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
        seconds: how long a connection may be idle, as its answers say.
        connections: counts them.
    """

    def __init__(self, seconds: float, connections: RequestConnections) -> None:
        self._seconds = seconds + GRACE_SECONDS
        self._connections = connections
        self._closed = False

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
        if self._closed:
            return False
        data = _without_empty_lines(unreader.take_buffered()) or self._wait(sock)
        if not data:
            return False
        unreader.unread(data)
        # A client that has sent many requests at once must not keep all others waiting.
        let_others_run_if_due()
        return True

    def end(self, sock: Any) -> None:
        """Close a connection whose client may have sent more requests than are answered.

        Bytes that nobody has read would reset the connection, and the client would lose answers.
        Takes two seconds at most; less if somebody needs the place.

        Args:
            sock: the connection's socket.
        """
        self._connections.wait()
        close_graceful(sock)
        self._connections.work()

    def close(self) -> None:
        """Close all idle connections, and let none become idle any more."""
        self._closed = True
        self._connections.close_idle()

    def finish(self) -> None:
        """Wait until the last requests are answered: for seconds at most, and not for idle ones."""
        now = time.monotonic()
        heads_by, deadline = now + _LAST_HEADS_SECONDS, now + _LAST_REQUESTS_SECONDS
        while len(self._connections):
            if time.monotonic() >= (deadline if self._connections.working else heads_by):
                break
            gevent.sleep(0.01)

    def _wait(self, sock: Any) -> bytes:
        """Wait for the next bytes of a connection; none if it is to be closed."""
        connections = self._connections
        connections.wait_idle()
        timer = gevent.Timeout.start_new(self._seconds)
        try:
            while True:
                if not _pending(sock):
                    wait_read(sock.fileno())
                if gevent.getcurrent() not in connections:  # told to end
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
    """Return what begins the next request: some clients send an empty line behind a body."""
    return data[empty_lines(data) :]


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
