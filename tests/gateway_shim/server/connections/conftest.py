"""Fixtures for the tests of connections."""

from __future__ import annotations

import _socket
import contextlib
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.gateway_shim.hub_errors import HubErrors
from tests.gateway_shim.server.connections.greeting_server import GreetingServer
from tests.gateway_shim.server.connections.worker_connections import WorkerConnections

__all__ = ["Pair"]


class Pair:
    """A client and the server's end of its connection."""

    def __init__(self) -> None:
        self.client, server = _socket.socketpair()
        self.server: _socket.socket = server

    def close(self) -> None:
        """Close both ends."""
        self.client.close()
        self.server.close()


@pytest.fixture
def pairs() -> Iterator[list[Pair]]:
    """Four connections that are closed at the end of the test."""
    made = [Pair() for _ in range(4)]
    yield made
    for pair in made:
        pair.close()


@pytest.fixture
def worker() -> Iterator[WorkerConnections]:
    """Provide a worker without connections; at the end of the test none may be left."""
    worker = WorkerConnections()
    with contextlib.ExitStack() as stack:
        stack.callback(lambda: [visit.close() for visit in worker.visits])
        yield worker
    assert len(worker.connections) == 0
    assert not worker.connections._addresses
    for line in worker.connections._lines:
        assert (line.count, line.waiting, line.receiving, line.idle) == (0, {}, {}, {})


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """Provide a stack that closes the clients of a test at its end."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def greeting_server(stack: ExitStack) -> Iterator[GreetingServer]:
    """Provide a server for twenty connections."""
    greeting_server = GreetingServer(20)
    with HubErrors():
        greeting_server.server.start()
        yield greeting_server
        greeting_server.server.stop(timeout=0)
    assert len(greeting_server.connections) == 0
