"""Fixtures for the tests of connections."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from tests.gateway_shim.server.connections.worker_connections import WorkerConnections


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
