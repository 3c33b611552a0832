"""Fixtures for tests of the engine: a redis-server, and servers that share it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gateway_shim.event_log.brokers.sites import Sites
from tests.support.parts import require
from tests.support.processes.redis_server import RedisServer


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """Run a redis-server that tests share, each with a prefix of its own. It loses nothing."""
    require(["redis"])
    with RedisServer() as server:
        yield server


@pytest.fixture
def prefix() -> str:
    """Return a prefix that no other test uses."""
    return f"test-{secrets.token_hex(6)}"


@pytest.fixture
def sites(tmp_path: Path, prefix: str) -> Iterator[Sites]:
    """Open the logs of servers, and close them at the end."""
    with Sites(tmp_path, prefix) as sites:
        yield sites
