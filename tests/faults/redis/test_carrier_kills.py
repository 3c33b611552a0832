"""Tests of a server whose carrier is killed under load: real processes in one directory."""

from __future__ import annotations

from pathlib import Path

import gevent
import pytest

from gateway_shim.event_log.brokers.redis_log import RedisLog
from tests.faults.redis.server_workers import until_all_go_on, worker
from tests.gateway_shim.event_log.brokers.sites import Sites, numbers
from tests.support.processes.redis_server import RedisServer
from tests.support.timing import wait_until

pytestmark = pytest.mark.needs("redis")


def is_carrier(log: RedisLog) -> bool:
    """Return True if a log of this process copies."""
    return log._carrier._lock.is_held


def test_the_carrier_is_killed_under_load(
    redis_server: RedisServer, sites: Sites, tmp_path: Path, prefix: str
) -> None:
    """Another process copies at once; no entry is lost or doubled in any process or on Redis."""
    there = sites.open("there", redis_server.url)
    folder = tmp_path / "here"
    with (
        worker(folder, redis_server.url, prefix, 1) as first,
        worker(folder, redis_server.url, prefix, 2) as second,
    ):
        until_all_go_on(first, second)
        # At the end this process is the only one that is left to copy.
        third = sites.open("here", redis_server.url)
        assert not is_carrier(third)
        first.kill()
        until_all_go_on(second)
        second.kill()
        wait_until(lambda: gevent.sleep(0) or is_carrier(third), "the lock")
        assert third.wait_until_current(60)
    for one in (first, second):
        positions = [position for _, position, _ in one.read]
        assert positions == list(range(positions[0], positions[-1] + 1))
        assert {epoch for epoch, _, _ in one.read} == {there.epoch}
    wait_until(lambda: gevent.sleep(0) or there.newest == third.newest, "the other server")
    found = numbers(there)
    assert len(found) == len(set(found))
    assert {*first.appended, *second.appended} <= set(found)
    assert found == numbers(third)
    by_position = dict(enumerate(found, 1))
    assert all(by_position[place] == number for _, place, number in first.read + second.read)
