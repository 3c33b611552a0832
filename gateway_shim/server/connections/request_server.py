"""gevent's server with counted connections and protection against floods."""

from __future__ import annotations

import _socket
import errno
import logging
import select
from collections.abc import Callable
from functools import partial
from typing import Any

import gevent.socket
from gevent.monkey import get_original
from gevent.server import StreamServer

from gateway_shim.server.connections.accept_balance import AcceptBalance
from gateway_shim.server.connections.arrivals import Arrivals
from gateway_shim.server.connections.connection_groups import Line
from gateway_shim.server.connections.keep_alive import HEAD_SECONDS
from gateway_shim.server.connections.late_heads import LateHeads
from gateway_shim.server.connections.lobby import Lobby, has_begun, has_left
from gateway_shim.server.connections.request_connections import RequestConnections
from gateway_shim.server.connections.stream_openings import StreamOpenings
from gateway_shim.server.requests.request import address_of

__all__ = ["RequestServer"]

logger = logging.getLogger(__name__)

_ACCEPTS_AT_ONCE = 16
"""The connections that get a handler between two yields, so that open streams are not starved."""

_LOOKED_AT_ONCE = 128
"""The connections that are accepted in a row without getting a handler: about 3 ms of work."""

_PAUSE_SECONDS = 0.1
"""The pause before the next accept if the process has no descriptor or memory left, seconds."""

_poll = get_original("select", "poll")
"""It never lets other greenlets run, as code in the hub must not."""

_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class RequestServer(StreamServer):
    """Accepts connections and counts them.

    Args:
        listener: the listening socket.
        connections: counts the connections.
        line: the connections of this listener.
        is_stream: returns whether a method and a request target ask for a stream.
        free_streams: returns how many more streams may open.
        openings: open the streams of ordinary requests; None: every connection gets a handler.
        options: as for gevent's StreamServer.

    Attributes:
        balance: decides when other workers accept first; None: there are no others.
    """

    max_accept = _ACCEPTS_AT_ONCE
    balance: AcceptBalance | None = None

    def __init__(
        self,
        listener: Any,
        connections: RequestConnections,
        line: Line,
        *,
        is_stream: Callable[[str, str], bool],
        free_streams: Callable[[], int],
        openings: StreamOpenings | None = None,
        **options: Any,
    ) -> None:
        self._connections = connections
        self._line = line
        self._openings = openings
        super().__init__(listener, spawn=line.pool, **options)
        self._lobby = Lobby(
            self._room,
            HEAD_SECONDS,
            partial(has_begun, tls=self.ssl_enabled),
            self._begin,
            connections.refusals,
        )
        self._arrivals = Arrivals(is_stream, free_streams, self._admit, self._open_stream)
        self._late = LateHeads(self._serve_late)

    def init_socket(self) -> None:
        """Prepare to accept (called by gevent)."""
        super().init_socket()
        serve: Callable[[Any, Any], Any] = self._handle  # type: ignore[has-type]  # gevent's

        def serve_counted(sock: Any, address: Any) -> None:
            # gevent always closes the socket afterwards.
            if self._connections.enter(self._line, sock.fileno(), address_of(address)):
                try:
                    serve(sock, address)
                finally:
                    self._connections.leave()

        self._handle = serve_counted

    def do_read(self) -> Any:
        """Accept one connection (called by gevent in the hub: must not block).

        A connection that has sent nothing is watched for a moment, or goes to the lobby while there
        are many. Connections that ask for a stream are queued, so that others are served first. If
        other workers have less to do, accepting pauses. If no descriptor is left, accepting pauses,
        too: gevent would write a traceback for each attempt.
        """
        run = _LOOKED_AT_ONCE
        if self.balance is not None:
            run = min(run, self.balance.room())
            if not run:
                self._pause(self.balance.pause(), self._resume)
                return None
        try:
            for _ in range(run):
                descriptor, address = self.socket._accept()  # type: ignore[attr-defined]  # gevent's
                plain = _socket.socket(self.family, _socket.SOCK_STREAM, 0, descriptor)
                if has_left(plain):
                    plain.close()  # the client left while it waited in the listener's queue
                    continue
                if not self.ssl_enabled and self._arrivals.take(plain, address):
                    continue
                if self._connections.must_send_head(
                    self._line, address_of(address), len(self._late)
                ):
                    if not has_begun(plain, tls=self.ssl_enabled):
                        self._lobby.add(plain, address)
                        continue
                elif not self.ssl_enabled and self._late.take(plain, address):
                    continue
                self._lobby.make_room()
                return _for_a_handler(plain), address
        except BlockingIOError:
            return None
        except OSError as exc:
            if exc.errno not in _EXHAUSTED:
                raise
            self._connections.close_longest()
            logger.error("no connection can be accepted", extra={"error": str(exc)})
            # The listener stays readable; without the pause the loop would try again at once.
            self._pause(_PAUSE_SECONDS, self._start_accepting_if_started)  # type: ignore[attr-defined]  # gevent's
        return None

    @property
    def count(self) -> int:
        """The number of connections that have a handler, or wait for one."""
        opening = 0 if self._openings is None else len(self._openings)
        early = len(self._lobby) + len(self._arrivals) + len(self._late)
        return len(self._line.pool) + opening + early

    def close(self) -> None:
        """Stop accepting permanently. Connections that were accepted are served nevertheless."""
        self.stop_accepting()
        if "_arrivals" in self.__dict__:  # gevent also calls close() if __init__ failed
            self._late.close()
            self._lobby.close()
            self._arrivals.close()  # before gevent forgets how a connection gets its handler
            if self._openings is not None:
                self._openings.close()
        handle = self.__dict__.get("handle")
        super().close()
        if handle is not None:  # gevent removes it, and looks for it after a TLS handshake
            self.handle = handle

    def _room(self) -> int:
        """Return how many connections may be in the lobby: the free places of the listener."""
        return max(self._line.size - self._line.count - len(self._late), 0)

    def _serve_late(self, plain: _socket.socket, address: Any) -> None:
        """Serve a connection that had sent nothing when it was accepted."""
        if has_left(plain):
            plain.close()
        elif not self._begin(plain, address):
            self._lobby.add(plain, address)

    def _begin(self, plain: _socket.socket, address: Any) -> bool:
        """Serve a connection that has waited without a handler; return False if none is free."""
        if not self.ssl_enabled and self._arrivals.take(plain, address):
            return True
        return self._admit(plain, address)

    def _admit(self, plain: _socket.socket, address: Any) -> bool:
        if self.full():
            return False
        self.do_handle(_for_a_handler(plain), address)
        return True

    def _open_stream(self, plain: _socket.socket, address: Any) -> bool:
        """Open a stream without a handler, unless so many connections are there that limits act."""
        return (
            self._openings is not None
            and not self._line.is_crowded
            and not self._connections.must_send_head(self._line, address_of(address))
            and self._openings.take(plain, address, self._handle)
        )

    def _pause(self, seconds: float, then: Callable[[], None]) -> None:
        self.stop_accepting()
        self._timer = self.loop.timer(seconds)
        self._timer.start(then)

    def _resume(self) -> None:
        """Accept again after a pause for the sake of other workers."""
        poll = _poll()
        poll.register(self.socket, select.POLLIN)
        assert self.balance is not None  # noqa: S101 - it has asked for the pause
        self.balance.resume(waiting=bool(poll.poll(0)))
        self._start_accepting_if_started()  # type: ignore[attr-defined]  # gevent's


def _for_a_handler(plain: _socket.socket) -> Any:
    """Replace a plain socket by gevent's. Only handled connections pay for gevent's watchers."""
    return gevent.socket.socket(plain.family, plain.type, plain.proto, fileno=plain.detach())
