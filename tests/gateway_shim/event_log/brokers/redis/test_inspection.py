"""Tests of the inspection of a Redis server."""

from __future__ import annotations

import pytest

from gateway_shim.event_log.brokers.redis.inspection import Finding, Severity, findings_of, inspect
from gateway_shim.event_log.brokers.redis.url import RedisURL
from tests.support.processes.redis_server import RedisServer

GOOD_INFO = {"redis_version": "7.0.15", "role": "master", "aof_enabled": "1", "maxmemory": "0"}
GOOD_SETTINGS = {
    "appendonly": "yes",
    "appendfsync": "everysec",
    "maxmemory-policy": "noeviction",
}


def test_all_is_well() -> None:
    """A Redis that keeps what it acknowledges has no findings."""
    assert findings_of(GOOD_INFO, GOOD_SETTINGS) == []


@pytest.mark.parametrize(
    ("name", "value", "what"),
    [
        ("redis_version", "6.0.16", "6.0.16 is too old"),
        ("redis_version", "5.0", "5.0 is too old"),
        ("role", "slave", "replica"),
        ("cluster_enabled", "1", "Cluster"),
    ],
)
def test_errors(name: str, value: str, what: str) -> None:
    """The server cannot use this Redis."""
    (found,) = findings_of(GOOD_INFO | {name: value}, GOOD_SETTINGS)
    assert found.severity is Severity.ERROR
    assert what in found.what
    assert found.remedy


@pytest.mark.parametrize(
    ("name", "value", "what"),
    [
        ("loading", "1", "reads its files"),
        ("aof_last_write_status", "err", "append-only file"),
    ],
)
def test_what_may_pass(name: str, value: str, what: str) -> None:
    """The server may start: Redis can be used later."""
    (found,) = findings_of(GOOD_INFO | {name: value}, GOOD_SETTINGS)
    assert found.severity is Severity.AWAY
    assert what in found.what


def test_memory_is_full() -> None:
    """Redis refuses events, or removes older ones."""
    info = GOOD_INFO | {"maxmemory": "1000", "used_memory": "1000"}
    (found,) = findings_of(info, GOOD_SETTINGS)
    assert found == Finding(
        Severity.AWAY, "all of maxmemory is used (1000 of 1000 bytes)", "raise maxmemory"
    )


@pytest.mark.parametrize(
    ("name", "value", "what"),
    [
        ("appendonly", "no", "appendonly is off"),
        ("appendfsync", "no", "appendfsync is no"),
        ("maxmemory-policy", "allkeys-lru", "maxmemory-policy is allkeys-lru"),
        ("maxmemory-policy", "volatile-ttl", "maxmemory-policy is volatile-ttl"),
    ],
)
def test_settings_that_lose_events(name: str, value: str, what: str) -> None:
    """The server works, and browsers are told of each loss."""
    (found,) = findings_of(GOOD_INFO, GOOD_SETTINGS | {name: value})
    assert found.severity is Severity.WARNING
    assert what in found.what
    assert found.remedy


def test_a_failed_snapshot_and_an_old_version() -> None:
    """Errors come first."""
    info = GOOD_INFO | {"rdb_last_bgsave_status": "err", "redis_version": "4.0"}
    found = findings_of(info, None)
    assert [item.severity for item in found] == [Severity.ERROR, Severity.WARNING, Severity.NOTE]


@pytest.mark.needs("redis")
def test_a_real_server(redis_server: RedisServer, prefix: str) -> None:
    """The Redis of the tests has no append-only file."""
    (found,) = inspect(RedisURL.parse(redis_server.url), prefix)
    assert "appendonly is off" in found.what
    assert redis_server.do("KEYS", f"*{prefix}*") == []


@pytest.mark.needs("redis")
def test_a_user_without_the_rights() -> None:
    """It is said what could not be checked."""
    with RedisServer(with_port=True) as server:
        server.do("ACL", "SETUSER", "sse", "on", ">secret", "~*", "+ping")
        found = inspect(RedisURL.parse(f"redis://sse:secret@127.0.0.1:{server.port}"), "sse")
        notes = [item for item in found if item.severity is Severity.NOTE]
        assert len(notes) == 2
        assert "+info" in notes[0].remedy
        refused = [item.what.split()[0] for item in found if item.severity is Severity.ERROR]
        assert refused == ["EVALSHA:", "EVAL:", "XREAD:", "SET:", "GETDEL:"]
        (found_one,) = inspect(RedisURL.parse(f"redis://sse:wrong@127.0.0.1:{server.port}"), "sse")
        assert found_one.severity is Severity.ERROR
        assert "wrong" not in found_one.what


def test_nobody_listens() -> None:
    """No exception; a server may start before Redis does."""
    (found,) = inspect(RedisURL.parse("unix:///nothing"), "sse")
    assert found.severity is Severity.AWAY
    assert "gives no answer" in found.what
