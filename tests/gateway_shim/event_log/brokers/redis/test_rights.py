"""Tests of the trial of a user's rights."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

import pytest

from gateway_shim.event_log import brokers
from gateway_shim.event_log.brokers.redis.client import RedisClient
from gateway_shim.event_log.brokers.redis.keys import Keys
from gateway_shim.event_log.brokers.redis.rights import missing_rights
from gateway_shim.event_log.brokers.redis.url import RedisURL
from tests.support.processes.redis_server import RedisServer

pytestmark = pytest.mark.needs("redis")

ALL = re.search(r"and the commands ``([^`]+)``", brokers.__doc__ or "")
assert ALL is not None
COMMANDS = ALL[1].split()
"""The commands that the engine needs, as its documentation lists them."""


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    """Run a redis-server with a port, because a URL of a socket needs no user here."""
    with RedisServer(with_port=True) as server:
        yield server


def missing(server: RedisServer, *rights: str) -> list[str]:
    """Return what a user with these rights may not do."""
    server.do("ACL", "SETUSER", "sse", "reset", "on", ">secret", *rights)
    url = RedisURL.parse(f"redis://sse:secret@127.0.0.1:{server.port}")
    with contextlib.closing(RedisClient(url, 5.0)) as client:
        found = missing_rights(client, Keys("env"))
    assert server.do("KEYS", "*trial*") == [] or found
    server.do("FLUSHALL")
    return found


def test_the_documented_rights_suffice(server: RedisServer) -> None:
    """A user with exactly the rights of the documentation misses none."""
    assert missing(server, "~{env}:*", *(f"+{name}" for name in COMMANDS)) == []


@pytest.mark.parametrize(
    "command",
    [name for name in COMMANDS if name not in ("ping", "select")],
)
def test_each_right_is_needed(server: RedisServer, command: str) -> None:
    """A right that is missing is named."""
    rights = [f"+{name}" for name in COMMANDS if name != command]
    found = missing(server, "~{env}:*", *rights)
    assert any(re.match(rf"{command}\b", text, re.IGNORECASE) for text in found), found


def test_other_keys(server: RedisServer) -> None:
    """A user of another environment has no right to these keys."""
    found = missing(server, "~{other}:*", *(f"+{name}" for name in COMMANDS))
    assert any("SET" in text for text in found)
