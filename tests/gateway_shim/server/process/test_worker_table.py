"""Tests of the memory that the arbiter and the workers share."""

from __future__ import annotations

import subprocess
import sys

import pytest

from gateway_shim.server.process import worker_table as module
from gateway_shim.server.process.worker_table import Rival, Seat, Stage, WorkerTable
from tests.gateway_shim.fakes import FakeClock
from tests.support.processes.child import ROOT


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """Return the clock of the table, seconds."""
    clock = FakeClock()
    monkeypatch.setattr(module, "monotonic_ns", lambda: int(clock() * 1e9))
    return clock


def serving(table: WorkerTable) -> list[Seat]:
    """Return the seats of the table's first generation, which serves."""
    seats = [table.begin(number, number, 1) for number in range(1, table.workers + 1)]
    for seat in seats:
        seat.serve()
    return seats


def test_two_workers(clock: FakeClock) -> None:
    """A worker that ends knows that the other accepts; if both end, nobody accepts."""
    first, second = serving(WorkerTable(2))
    first.drain()
    assert (first.others_accept, first.has_successor) == (True, False)
    second.drain()
    assert (first.others_accept, second.others_accept) == (False, False)


def test_one_worker(clock: FakeClock) -> None:
    """A worker that is alone has nobody who accepts, until a reload has forked its successor."""
    table = WorkerTable(1)
    (old,) = serving(table)
    assert not old.others_accept
    new = table.begin(2, 1, 2)
    assert (old.has_successor, old.others_accept, new.has_successor) == (True, True, False)
    assert new.others_accept  # the old one still serves
    table.end(old.age)
    assert not new.others_accept


def test_a_stop(clock: FakeClock) -> None:
    """While the whole server stops, nobody accepts in place of another."""
    table = WorkerTable(2)
    first, _ = serving(table)
    table.stop()
    first.drain()
    assert (table.is_stopping, first.others_accept) == (True, False)


def test_a_worker_that_is_stuck_accepts_nothing(clock: FakeClock) -> None:
    """A worker that has not reported for three seconds does not count, until it reports again."""
    first, second = serving(WorkerTable(2))
    clock.now += 2.9
    first.drain()
    assert first.others_accept
    clock.now += 0.1
    assert not first.others_accept
    second.report()
    assert first.others_accept


def test_a_generation_is_complete(clock: FakeClock) -> None:
    """The worker that completes its generation is told; old workers do not count."""
    table = WorkerTable(2)
    first, second = table.begin(1, 1, 1), table.begin(2, 2, 1)
    assert (table.has_served, first.has_served) == (False, False)
    assert (first.serve(), table.complete, table.has_served) == (False, 0, True)
    assert (second.serve(), table.complete) == (True, 1)
    third, fourth = table.begin(3, 1, 2), table.begin(4, 2, 2)
    assert (fourth.serve(), table.complete) == (False, 1)
    assert (third.serve(), table.complete) == (True, 2)
    first.drain()
    assert first.has_served


def test_a_replacement_completes_its_generation(clock: FakeClock) -> None:
    """After a crash a generation is complete again once the replacement serves."""
    table = WorkerTable(2)
    first, _ = serving(table)
    table.end(1)
    assert first.age == 0
    third = table.begin(3, 1, 1)
    assert (third.number, third.stage, third.load) == (1, Stage.STARTING, 0)
    assert third.serve()


def test_a_row_begins_empty(clock: FakeClock) -> None:
    """A row that was used before has nothing left of the worker before."""
    table = WorkerTable(1)
    (old,) = serving(table)
    old.count_streams(5)
    old.count_connections(6)
    old.look()
    assert old.load == 11
    table.end(1)
    new = table.begin(2, 1, 1)
    assert (new.row, new.load, new.has_served) == (old.row, 0, False)
    new.serve()
    successor = table.begin(3, 1, 2)
    assert successor.accepting() == [Rival((2, 0), 0)]


def test_the_streams_of_others(clock: FakeClock) -> None:
    """The streams of all other workers count, also those of a worker that drains."""
    table = WorkerTable(3)
    first, second, third = serving(table)
    for seat, streams in ((first, 1), (second, 20), (third, 300)):
        seat.count_streams(streams)
    second.drain()
    assert first.streams_of_others == 320
    table.end(3)
    assert first.streams_of_others == 20


def test_too_many_workers() -> None:
    """There are two rows for each number, and never more workers."""
    table = WorkerTable(1)
    table.begin(1, 1, 1)
    table.begin(2, 1, 2)
    with pytest.raises(RuntimeError, match="more than 2 workers"):
        table.begin(3, 1, 3)


PROGRAM = """
import os, signal
from gateway_shim.server.process.worker_table import WorkerTable

table = WorkerTable(2)
mine, other = table.begin(1, 1, 1), table.begin(2, 2, 1)
pid = os.fork()
if pid == 0:
    other.count_streams(42)
    other.serve()
    os.kill(os.getpid(), signal.SIGKILL)
os.waitpid(pid, 0)
print(other.streams, other.accepts, mine.others_accept, table.has_served)
table.end(2)
print(list(mine.others()))
"""


def test_another_process() -> None:
    """A process reads the row of another one, also after the other was killed."""
    program = [sys.executable, "-c", PROGRAM]
    output = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert output == "42 True True True\n[]\n"
