"""Tests of a server whose carrier is killed under load: real processes in one directory."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import gevent
import pytest

from gateway_shim.event_log.brokers.redis_log import RedisLog
from tests.gateway_shim.event_log.brokers.sites import Sites, numbers
from tests.support.processes.companion import Companion
from tests.support.processes.redis_server import RedisServer
from tests.support.timing import wait_until

pytestmark = pytest.mark.needs("redis")


class Worker:
    """A process that appends and reads, and what it has told.

    Args:
        companion: the process.
    """

    def __init__(self, companion: Companion) -> None:
        self._companion = companion
        self.appended: list[int] = []
        self.read: list[tuple[str, int, int]] = []
        self._reader = gevent.spawn(self._listen)

    def kill(self) -> None:
        """Kill it with SIGKILL, and read what it has told before."""
        self._companion.process.kill()
        self._reader.join()

    def _listen(self) -> None:
        with contextlib.suppress(AssertionError):  # it was killed, perhaps in the middle of a line
            while True:
                what, *values = self._companion.read_line().split()
                assert what != "lost", "the process has lost entries"
                if what == "appended":
                    self.appended.append(int(values[0]))
                else:
                    self.read.append((values[0], int(values[1]), int(values[2])))


@contextlib.contextmanager
def worker(folder: Path, url: str, prefix: str, writer: int) -> Iterator[Worker]:
    """Run a process of the server."""
    arguments = [str(folder), url, prefix, str(writer)]
    with Companion("tests.faults.redis.worker", arguments) as companion:
        yield Worker(companion)


def until_all_go_on(*workers: Worker) -> None:
    """Wait until each process has appended and read some more."""
    goals = [(one, len(one.appended) + 30, len(one.read) + 30) for one in workers]
    wait_until(
        lambda: (
            gevent.sleep(0)
            or all(len(one.appended) >= more and len(one.read) >= most for one, more, most in goals)
        ),
        lambda: f"progress: {[(len(one.appended), len(one.read)) for one in workers]}",
    )


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
