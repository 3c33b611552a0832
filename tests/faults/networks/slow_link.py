"""A network between a proxy and its backend on which the end of a connection arrives late."""

from __future__ import annotations

import socket
from types import TracebackType
from typing import Self

import gevent
from gevent.server import StreamServer

from tests.support.timing import TIME_LIMIT, wait_until

__all__ = ["SlowLink"]


class SlowLink:
    """Forwards connections to a backend, and holds back that the backend has closed one.

    That is what a slow network does: the backend has closed, and the proxy, which does not know
    it yet, sends the next request. The end goes on to the proxy once such a request has met it.

    Args:
        backend: the port to forward to.

    Attributes:
        accepted: how many connections were made.
        closed_first: who closed each connection that has ended, ``backend`` or ``proxy``.
    """

    def __init__(self, backend: int) -> None:
        self.accepted = 0
        self.closed_first: list[str] = []
        self._backend = backend
        self._server = StreamServer(("127.0.0.1", 0), self._forward)

    def __enter__(self) -> Self:
        """Start to forward."""
        self._server.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop, and cut what is left."""
        self._server.stop(timeout=0)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_port)

    def wait_closed(self, limit: float = TIME_LIMIT) -> str:
        """Wait until a connection is closed; say who did it."""
        wait_until(lambda: self.closed_first, "a connection to be closed", limit=limit)
        return self.closed_first[0]

    def _forward(self, proxy: socket.socket, _: object) -> None:
        self.accepted += 1
        with proxy, socket.create_connection(("127.0.0.1", self._backend)) as backend:
            answers = gevent.spawn(self._answer, backend, proxy)
            try:
                while data := proxy.recv(65536):
                    if answers.ready():  # the request has met the closed connection
                        return
                    backend.sendall(data)
                if not answers.ready():
                    self.closed_first.append("proxy")
            finally:
                answers.kill()

    def _answer(self, backend: socket.socket, proxy: socket.socket) -> None:
        while data := backend.recv(65536):
            proxy.sendall(data)
        self.closed_first.append("backend")
