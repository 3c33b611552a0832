"""A server shared by the live tests that do not stop it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.processes.server import GunicornServer


@pytest.fixture(scope="module")
def server() -> Iterator[GunicornServer]:
    """The monolith in testing mode, heartbeats every second; a module's tests share it."""
    env = {"FLASK_ENV": "testing", "HEARTBEAT_INTERVAL_SECONDS": "1"}
    with GunicornServer(env=env) as running:
        yield running
