"""gevent's server, with every connection counted, and floods kept from the handlers."""

from __future__ import annotations

import _socket
import errno
import logging
from collections.abc import Callable
from functools import partial
from typing import Any

import gevent.socket
from gevent.server import StreamServer

from gateway_shim.server.requests.arrivals import Arrivals
from gateway_shim.server.requests.connections import RequestConnections
from gateway_shim.server.requests.crowds import Line
from gateway_shim.server.requests.keep_alive import HEAD_SECONDS
from gateway_shim.server.requests.lobby import Lobby, has_begun, has_left
from gateway_shim.server.requests.request import address_of

__all__ = ["RequestServer"]

logger = logging.getLogger(__name__)

_ACCEPTS_AT_ONCE = 16
"""Connections that get a handler before others may run: a storm does not starve open streams."""

_LOOKED_AT_ONCE = 128
"""Connections accepted in a row that get none yet: about 3 ms of work."""

_PAUSE_SECONDS = 0.1
"""Seconds without accepting where the process has no descriptor left, or no memory for one."""

_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class RequestServer(StreamServer):
    """Accepts connections and counts them.

    Args:
        listener: where clients come from.
        connections: counts them.
        line: those of this listener.
        is_stream: says whether a method and a request target ask for a stream.
        free_streams: says how many more streams may open.
        options: as for gevent's StreamServer.
    """

    max_accept = _ACCEPTS_AT_ONCE

    def __init__(
        self,
        listener: Any,
        connections: RequestConnections,
        line: Line,
        *,
        is_stream: Callable[[str, str], bool],
        free_streams: Callable[[], int],
        **options: Any,
    ) -> None:
        self._connections = connections
        self._line = line
        super().__init__(listener, spawn=line.pool, **options)
        self._lobby = Lobby(
            self._room,
            HEAD_SECONDS,
            partial(has_begun, tls=self.ssl_enabled),
            self._admit,
            connections.refusals,
        )
        self._arrivals = Arrivals(is_stream, free_streams, self._admit)

    def init_socket(self) -> None:
        """Prepare to accept (called by gevent)."""
        super().init_socket()
        serve: Callable[[Any, Any], Any] = self._handle  # type: ignore[has-type]

        def serve_counted(sock: Any, address: Any) -> None:
            # gevent closes the socket afterwards, in every case.
            if self._connections.enter(self._line, sock.fileno(), address_of(address)):
                try:
                    serve(sock, address)
                finally:
                    self._connections.leave()

        self._handle = serve_counted

    def do_read(self) -> Any:
        """Accept one connection (called by gevent in the hub: must not block).

        Those without a head go to the lobby while there are many, and those that ask for a stream
        let others go first. Where no descriptor is left, gevent would write a traceback for each
        try.
        """
        try:
            for _ in range(_LOOKED_AT_ONCE):
                descriptor, address = self.socket._accept()  # type: ignore[attr-defined]
                plain = _socket.socket(self.family, _socket.SOCK_STREAM, 0, descriptor)
                if has_left(plain):
                    plain.close()  # it has waited in the listener's queue, in a flood maybe
                    continue
                if not self.ssl_enabled and self._arrivals.take(plain, address):
                    continue
                if not self._connections.are_many(self._line, address_of(address)) or has_begun(
                    plain, tls=self.ssl_enabled
                ):
                    self._lobby.make_room()
                    return _for_a_handler(plain), address
                self._lobby.add(plain, address)
        except BlockingIOError:
            return None
        except OSError as exc:
            if exc.errno not in _EXHAUSTED:
                raise
            self._pause(exc)
        return None

    def close(self) -> None:
        """Stop accepting, for good."""
        super().close()
        if "_lobby" in self.__dict__:  # gevent closes what it could not make
            self._lobby.close()
            self._arrivals.close()

    def _room(self) -> int:
        """Return how many may be in the lobby: together they are no more than the line's size."""
        return max(self._line.size - self._line.count, 0)

    def _admit(self, plain: _socket.socket, address: Any) -> bool:
        if self.full():
            return False
        self.do_handle(_for_a_handler(plain), address)
        return True

    def _pause(self, exc: OSError) -> None:
        self._connections.close_longest()
        logger.error("no connection can be accepted", extra={"error": str(exc)})
        # The listener stays readable, so the loop would try again at once.
        self.stop_accepting()
        self._timer = self.loop.timer(_PAUSE_SECONDS)
        again = self._start_accepting_if_started  # type: ignore[attr-defined]
        self._timer.start(again)


def _for_a_handler(plain: _socket.socket) -> Any:
    """Put gevent's socket in the place of a plain one; a flood does not pay for its watchers."""
    return gevent.socket.socket(plain.family, plain.type, plain.proto, fileno=plain.detach())
