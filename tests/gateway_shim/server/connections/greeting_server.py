"""A small server whose connections are counted, for tests of RequestServer."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from typing import Any

import gevent
from gevent.pool import Pool

from gateway_shim.server.connections.request_connections import RequestConnections
from gateway_shim.server.connections.request_server import RequestServer
from gateway_shim.streams.refusal_counts import RefusalCounts
from tests.support.timing import TIME_LIMIT

REQUEST = b"GET / HTTP/1.1\r\n\r\n"
STREAMS = 15
"""The number of requests for streams that may wait."""


class GreetingServer:
    """A server that reads a request and answers ``hello``.

    Args:
        size: how many connections it may have.
        options: as for the server.
    """

    def __init__(self, size: int, **options: Any) -> None:
        self.refusals = RefusalCounts()
        self.connections = RequestConnections(100, lambda address: "", self.refusals)
        self.line = self.connections.add_line(Pool(size), size)
        self.server = RequestServer(
            ("127.0.0.1", 0),
            self.connections,
            self.line,
            is_stream=lambda method, target: (method, target) == ("GET", "/stream"),
            free_streams=lambda: STREAMS,
            handle=self._handle,
            **options,
        )

    def _handle(self, sock: Any, address: Any) -> None:
        assert gevent.getcurrent() in self.connections
        if sock.recv(100):
            self.connections.work()
            sock.sendall(b"hello")

    def connect(self, stack: ExitStack) -> socket.socket:
        """Connect one more client."""
        client = socket.create_connection(("127.0.0.1", self.server.server_port), TIME_LIMIT)
        return stack.enter_context(client)


def ask(client: socket.socket) -> None:
    """Send a request, and return the answer."""
    client.sendall(REQUEST)
    assert client.recv(100) == b"hello"
