"""Servers that share a Redis, in the process of the test."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

import gevent

from gateway_shim.errors import LogUnavailable
from gateway_shim.event_log.audience import EVERYONE
from gateway_shim.event_log.brokers.redis.url import RedisURL
from gateway_shim.event_log.brokers.redis_log import BusOptions, RedisLog
from gateway_shim.event_log.limits import LogLimits
from tests.support.timing import TIME_LIMIT, wait_until

__all__ = ["Sites", "number_of", "numbers", "publish", "until_same"]


class Sites:
    """A context manager that closes the logs which it has opened.

    Args:
        folder: a folder for the servers' directories.
        prefix: the prefix of the keys.
    """

    def __init__(self, folder: Path, prefix: str) -> None:
        self._folder = folder
        self._prefix = prefix
        self._opened: list[RedisLog] = []

    def __enter__(self) -> Self:
        """Return this object."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close all logs."""
        for log in self._opened:
            log.close()

    def open(
        self,
        name: str,
        url: str,
        *,
        prefix: str = "",
        seconds: float = TIME_LIMIT,
        entries: int = 100_000,
        signature: str = "named",
        current: bool = True,
    ) -> RedisLog:
        """Open the log of a process as a gateway does it.

        Args:
            name: the name of the server.
            url: the URL of Redis.
            prefix: the prefix of the keys; empty: that of the test.
            seconds: how long an append may wait.
            entries: the entries that Redis keeps.
            signature: what the bytes of the entries depend on.
            current: True to wait until the server has what Redis has.
        """
        options = BusOptions(RedisURL.parse(url), prefix or self._prefix, seconds, entries)
        log = RedisLog(self._folder / name, LogLimits(), signature, options)
        self._opened.append(log)
        if current:
            assert log.wait_until_current(TIME_LIMIT)
        log.listen(_Following(log))
        log.completed(log.newest)
        return log

    def close(self, log: RedisLog) -> None:
        """Close one log, as the end of its process does it."""
        self._opened.remove(log)
        log.close()


class _Following:
    """A listener that has no streams, and so completes each entry at once.

    Args:
        log: the log.
    """

    def __init__(self, log: RedisLog) -> None:
        self._log = log

    def appended(self) -> None:
        """Complete all entries."""
        self._log.completed(self._log.newest)

    def trimming(self, through: int) -> None:
        """Do nothing."""


def publish(log: RedisLog, first: int, count: int) -> list[int]:
    """Append events that are numbers, and return those that were appended for certain."""
    appended = []
    for number in range(first, first + count):
        try:
            log.append(EVERYONE, b"data: %d\n\n" % number)
        except LogUnavailable:
            continue
        appended.append(number)
    return appended


def number_of(frame: bytes | memoryview) -> int:
    """Return the number of an event that :func:`publish` has appended."""
    return int(bytes(frame).partition(b"data: ")[2].partition(b"\n")[0])


def numbers(log: RedisLog) -> list[int]:
    """Return the numbers of all events that a server has."""
    read = log.read(log.oldest - 1, 10**9)
    assert read is not None
    return [number_of(entry.frame) for entry in read if entry.audience == EVERYONE]


def until_same(*logs: RedisLog) -> None:
    """Wait until servers have the same epoch and the same newest entry."""

    def places() -> set[tuple[str, int]]:
        for log in logs:
            log.read(log.newest, 0)  # a read finds a new epoch
        return {(log.epoch, log.newest) for log in logs}

    wait_until(lambda: gevent.sleep(0) or len(places()) == 1, lambda: f"one place: {places()}")
