"""The server that live tests share if they do not stop it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.processes.server import GunicornServer


@pytest.fixture(scope="module")
def server() -> Iterator[GunicornServer]:
    """Start a backend with heartbeats every second that the tests of a module share."""
    env = {"FLASK_ENV": "testing", "HEARTBEAT_INTERVAL_SECONDS": "1"}
    with GunicornServer(env=env) as running:
        yield running
