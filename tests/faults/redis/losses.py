"""Helpers for tests of a Redis that fails: they count events and epochs."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator

import gevent

from gateway_shim.event_log.brokers.redis_log import RedisLog
from tests.gateway_shim.event_log.brokers.sites import publish, until_same
from tests.support.processes.redis_server import RedisServer
from tests.support.timing import TIME_LIMIT, wait_until

__all__ = ["connect_to", "exactly_one_new_epoch", "publishing", "until_more"]


def connect_to(server: RedisServer) -> Callable[[], socket.socket]:
    """Return a function that connects to a server."""

    def connect() -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(str(server.socket))
        return connection

    return connect


@contextlib.contextmanager
def publishing(log: RedisLog, writers: int = 3) -> Iterator[list[int]]:
    """Publish numbers in the background during a block; what was appended is in the list."""
    appended: list[int] = []
    stopped = False

    def write(writer: int) -> None:
        number = writer * 1_000_000
        while not stopped:
            appended.extend(publish(log, number, 1))
            number += 1
            gevent.sleep(0.001)

    greenlets = [gevent.spawn(write, writer) for writer in range(writers)]
    try:
        yield appended
    finally:
        stopped = True
        gevent.joinall(greenlets, TIME_LIMIT, raise_error=True)


def until_more(appended: list[int], more: int = 50) -> None:
    """Wait until more events were appended."""
    goal = len(appended) + more
    wait_until(lambda: gevent.sleep(0) or len(appended) >= goal, "more events")


def epochs_of(log: RedisLog, seen: list[str]) -> None:
    """Note the epochs of a log, one after the other, without end."""
    while True:
        log.read(log.newest, 0)
        if not seen or seen[-1] != log.epoch:
            seen.append(log.epoch)
        gevent.sleep(0.001)


@contextlib.contextmanager
def exactly_one_new_epoch(*logs: RedisLog) -> Iterator[None]:
    """Assert that all servers get the same new epoch in a block, and only this one."""
    until_same(*logs)
    seen: list[list[str]] = [[] for _ in logs]
    greenlets = [gevent.spawn(epochs_of, *pair) for pair in zip(logs, seen, strict=True)]
    gevent.sleep(0)
    try:
        yield
        wait_until(lambda: gevent.sleep(0) or all(len(own) > 1 for own in seen), "a new epoch")
        until_same(*logs)
    finally:
        gevent.killall(greenlets)
    assert all(own == seen[0] for own in seen)
    assert len(seen[0]) == 2
