"""Fixtures for tests of the engine: a redis-server, servers that share it, and a process."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway_shim.event_log.brokers.presence import Presence
from gateway_shim.event_log.brokers.redis.stream import Pulse
from tests.gateway_shim.event_log.brokers.fake_stream import AWAY, FakeStream
from tests.gateway_shim.event_log.brokers.sites import Sites
from tests.support.parts import require
from tests.support.processes.redis_server import RedisServer

__all__ = ["ME", "NEXT", "OTHER", "Known"]

ME = "p-1-000000000001@here"
NEXT = "p-2-000000000002@here"
OTHER = "p-3-000000000003@there"


class Known:
    """A process among others, and Redis as the test wants it."""

    def __init__(self) -> None:
        self.stream = FakeStream()
        self.local = ("e", 10)
        self.now = 1000.0
        self.presence = Presence(self.stream, ME, "here", lambda: self.local, lambda: self.now)

    def beat(
        self, *names: str, epoch: str = "e", newest: int = 10, is_new: bool = False
    ) -> list[str]:
        """Give a sign of life that Redis answers so, and return the other servers' processes."""
        answer = Pulse(epoch, newest, is_new, " ".join(names), list(names))
        self.stream.pulses = [answer]
        self.presence.beat()
        return self.presence.others()

    def fail(self) -> None:
        """Give a sign of life that Redis does not answer."""
        self.stream.pulses = [AWAY]
        self.presence.beat()


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


@pytest.fixture
def known() -> Known:
    """Return a process that serves."""
    known = Known()
    known.presence.serve()
    return known
