"""Tests of a server whose carrier is stopped, and goes on after another process has copied."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest

from gateway_shim.event_log.brokers import carrier as module
from gateway_shim.event_log.brokers.carrier_lock import CarrierLock
from tests.faults.redis.one_server import OneProcess, OneServer, Shared
from tests.faults.redis.server_workers import until_all_go_on, worker
from tests.gateway_shim.event_log.brokers.sites import Sites, numbers
from tests.support.processes.redis_server import RedisServer
from tests.support.timing import TIME_LIMIT, wait_until

pytestmark = pytest.mark.needs("redis")

STEPS = [
    ("_stream", "look"),
    ("_stream", "begin"),
    ("_stream", "read"),
    ("_log", "begin"),
    ("_log", "copy"),
    ("_mark", "write"),
]
"""All that a carrier does with Redis and the log: the part of it, and the method."""


@pytest.fixture(name="here")
def fixture_here(
    redis_server: RedisServer, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[OneServer]:
    """Return a server without processes, whose pauses are short."""
    monkeypatch.setattr(module, "_LOCK_PAUSE", 0.005)
    monkeypatch.setattr(module, "_FIRST_PAUSE", 0.005)
    monkeypatch.setattr(module, "_LONGEST_PAUSE", 0.005)
    server = OneServer(Shared(redis_server, prefix, tmp_path / "log"))
    yield server
    server.end()


def all_until(newest: int, first: int = 1) -> list[tuple[int, int]]:
    """Return the positions and the numbers of events."""
    return [(number, number) for number in range(first, newest + 1)]


def go_on_beside_another(here: OneServer, stopped: OneProcess) -> None:
    """Let a stopped carrier go on while another one copies. It begins no copy and no epoch."""
    head = here.shared.head()
    stopped.go_on()
    for _ in range(3):
        here.shared.append(3)
        stopped.until_has_all()
    here.until_read()
    assert here.shared.head() == head
    assert here.shared.epoch_in_use() == here.shared.epoch


def let_others_run(times: int) -> None:
    """Let other greenlets run, some times."""
    for _ in range(times):
        gevent.sleep(0)


def test_the_carrier_is_stopped_under_load(
    redis_server: RedisServer, sites: Sites, tmp_path: Path, prefix: str
) -> None:
    """Another process copies; the stopped one goes on later. Nothing is lost or doubled."""
    there = sites.open("there", redis_server.url)
    folder = tmp_path / "here"
    with worker(folder, redis_server.url, prefix, 1) as first:
        until_all_go_on(first)  # it copies, because it is alone
        with worker(folder, redis_server.url, prefix, 2) as second:
            until_all_go_on(first, second)
            os.kill(first.pid, signal.SIGSTOP)
            until_all_go_on(second)
            os.kill(first.pid, signal.SIGCONT)
            until_all_go_on(first, second)
            second.kill()
            until_all_go_on(first)
            first.kill()
    for one in (first, second):
        positions = [position for _, position, _ in one.read]
        assert positions == list(range(positions[0], positions[-1] + 1))
        assert {epoch for epoch, _, _ in one.read} == {there.epoch}
    last = max(position for _, position, _ in first.read)
    wait_until(lambda: gevent.sleep(0) or there.newest >= last, "the other server")
    found = numbers(there)
    assert len(found) == len(set(found))
    assert {*first.appended, *second.appended} <= set(found)
    by_position = dict(enumerate(found, 1))
    assert all(by_position[place] == number for _, place, number in first.read + second.read)


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize(
    ("part", "method", "is_first"),
    [
        (*step, is_first)
        for step in STEPS
        for is_first in (True, False)
        # A later carrier does not begin the copy again.
        if step != ("_stream", "begin") and (is_first or step != ("_log", "begin"))
    ],
)
def test_a_carrier_is_stopped_at_each_step(
    here: OneServer, part: str, method: str, before: bool, is_first: bool
) -> None:
    """And goes on after another one has copied. A stream of a third process gets all events once.

    Both the carrier of a new server, and the one that follows another one without its mark.
    """
    here.shared.append(2)
    if not is_first:
        earlier = here.process()
        earlier.start()
        earlier.until_has_all()
        earlier.end()
        (here.shared.directory / "carried").unlink()
        here.shared.append(2)
    stopped, other = here.process(), here.process()
    stopped.halt_at(part, method, before=before)
    stopped.start()
    assert stopped.is_halted.wait(TIME_LIMIT)
    here.shared.append(2)
    other.start()
    other.until_has_all()
    assert other.carrier.carries
    go_on_beside_another(here, stopped)
    assert here.read == all_until(here.shared.newest)
    assert here.resyncs <= 1  # the epoch of Redis


@pytest.mark.parametrize(
    ("part", "method", "before"),
    [("_stream", "look", False), ("_log", "begin", True), ("_log", "begin", False)],
)
def test_a_carrier_is_stopped_and_another_one_begins_after_a_gap(
    here: OneServer, part: str, method: str, before: bool
) -> None:
    """The copy is not begun there a second time, and entries that are gone here are no loss."""
    here.shared.append(2)
    earlier = here.process()
    earlier.start()
    earlier.until_has_all()
    here.until_read()
    earlier.end()
    (here.shared.directory / "carried").unlink()
    stopped, other = here.process(), here.process()
    stopped.halt_at(part, method, before=before)
    if method == "look":
        stopped.start()
        assert stopped.is_halted.wait(TIME_LIMIT)
    here.shared.append(6)
    here.shared.server.do("XTRIM", here.shared.keys.stream(here.shared.epoch), "MINID", "6-1")
    if method == "begin":
        stopped.start()
        assert stopped.is_halted.wait(TIME_LIMIT)
    other.start()
    other.until_has_all()
    here.until_read()
    resyncs = here.resyncs
    go_on_beside_another(here, stopped)
    assert here.read == all_until(2) + all_until(here.shared.newest, 6)
    assert here.resyncs == resyncs


def test_a_carrier_is_stopped_while_it_ends_an_epoch(here: OneServer) -> None:
    """The other one has ended it, and the new epoch is not ended."""
    here.shared.append(2)
    earlier = here.process()
    earlier.start()
    earlier.until_has_all()
    earlier.end()
    here.shared.server.do("DEL", here.shared.keys.stream(here.shared.epoch))
    stopped, other = here.process(), here.process()
    stopped.halt_at("_stream", "begin", before=True)
    stopped.start()
    assert stopped.is_halted.wait(TIME_LIMIT)
    here.shared.newest += 1  # the other one sees that something is missing
    other.start()
    wait_until(lambda: gevent.sleep(0) or other.carrier.carries, "another carrier")
    epoch = here.shared.epoch_in_use()
    assert epoch != here.shared.epoch
    here.shared.epoch, here.shared.newest = epoch, 0
    stopped.go_on()
    here.shared.append(3)
    other.until_has_all()
    stopped.until_has_all()
    assert here.shared.epoch_in_use() == epoch
    here.until_read()
    assert here.read == all_until(2) + all_until(3)


@pytest.mark.parametrize("seed", range(4))
def test_two_carriers_that_both_believe_that_they_are_alone(
    here: OneServer, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their steps are mixed at random. The lock of the log alone keeps the copy right."""
    monkeypatch.setattr(CarrierLock, "is_held", property(lambda lock: True))
    monkeypatch.setattr(CarrierLock, "try_to_acquire", lambda lock: True)
    choices = random.Random(seed)
    copies: list[int] = []

    def pausing(process: int, is_copy: bool) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        def wrapper(original: Callable[..., Any]) -> Callable[..., Any]:
            def paused(*arguments: Any) -> Any:
                let_others_run(choices.choice((0, 0, 1, 5, 30)))
                result = original(*arguments)
                if is_copy:
                    copies.append(process)
                let_others_run(choices.choice((0, 0, 1, 5, 30, 200)))
                return result

            return paused

        return wrapper

    for number, process in enumerate((here.process(), here.process())):
        for part, method in STEPS:
            process.wrap(part, method, pausing(number, (part, method) == ("_log", "copy")))
        process.start()
    while min(copies.count(0), copies.count(1)) < 20:
        here.shared.append(choices.randint(1, 4))
        let_others_run(choices.choice((0, 1, 20)))
        assert here.shared.newest < 9000, copies
    here.until_read()
    assert here.read == all_until(here.shared.newest)
    assert here.resyncs <= 1
    assert here.shared.epoch_in_use() == here.shared.epoch
