"""A slow network between a proxy and its backend, where the end of a connection arrives late."""

from __future__ import annotations

import socket
from types import TracebackType
from typing import Self

import gevent
from gevent.server import StreamServer

from tests.support.timing import TIME_LIMIT, wait_until

__all__ = ["SlowLink"]


class SlowLink:
    """A context manager that forwards connections to a backend, and delays their end.

    In a slow network, the proxy may send a request on a connection that the backend has already
    closed, because the proxy does not know it yet. This link passes the end of a connection on to
    the proxy only after such a request has arrived.

    Args:
        backend: the port of the backend.

    Attributes:
        accepted: the number of connections that were made.
        closed_first: the side that closed each connection, ``backend`` or ``proxy``.
    """

    def __init__(self, backend: int) -> None:
        self.accepted = 0
        self.closed_first: list[str] = []
        self._backend = backend
        self._server = StreamServer(("127.0.0.1", 0), self._forward)

    def __enter__(self) -> Self:
        """Start to forward connections."""
        self._server.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop, and cut the open connections."""
        self._server.stop(timeout=0)

    @property
    def port(self) -> int:
        """The port where the link listens."""
        port = self._server.server_port
        assert port is not None
        return port

    def wait_closed(self, limit: float = TIME_LIMIT) -> str:
        """Wait until a connection is closed, and return the side that closed it."""
        wait_until(lambda: self.closed_first, "a connection to be closed", limit=limit)
        return self.closed_first[0]

    def _forward(self, proxy: socket.socket, _: object) -> None:
        self.accepted += 1
        with proxy, socket.create_connection(("127.0.0.1", self._backend)) as backend:
            answers = gevent.spawn(self._answer, backend, proxy)
            try:
                while data := proxy.recv(65536):
                    if answers.ready():  # the request came after the backend had closed
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
