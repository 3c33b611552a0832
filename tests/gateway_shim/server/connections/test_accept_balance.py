"""Tests of the balance between workers that accept from the same sockets."""

from __future__ import annotations

import pytest

from gateway_shim.server.connections.accept_balance import AcceptBalance
from gateway_shim.server.process import worker_table as module
from gateway_shim.server.process.worker_table import WorkerTable
from tests.gateway_shim.fakes import FakeClock

ANY = 1000


class Workers:
    """Workers that serve, without processes.

    Attributes:
        table: their table.
        seats: their rows.
        clock: their clock, seconds.
        balance: the balance of the first worker.
    """

    def __init__(self, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock = FakeClock()
        monkeypatch.setattr(module, "monotonic_ns", lambda: int(self.clock() * 1e9))
        self.table = WorkerTable(count)
        self.seats = [self.table.begin(number, number, 1) for number in range(1, count + 1)]
        for seat in self.seats:
            seat.serve()
        self.connections = 0
        self.balance = AcceptBalance(self.seats[0], lambda: self.connections)

    def have(self, *streams: int) -> None:
        """Set the number of streams of each worker."""
        for seat, count in zip(self.seats, streams, strict=True):
            seat.count_streams(count)

    def pause(self, *, waiting: bool = True, others_look: bool = False) -> float:
        """Let the first worker pause, and return the length of the pause, seconds."""
        seconds = self.balance.pause()
        self.clock.now += seconds
        if others_look:
            for seat in self.seats[1:]:
                seat.look()
                seat.report()
        self.balance.resume(waiting=waiting)
        return seconds


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> Workers:
    """Provide two workers."""
    return Workers(2, monkeypatch)


def test_the_least_loaded_never_pauses(two: Workers) -> None:
    """A worker may have a few connections more than the least loaded one, and then it pauses."""
    for own, other, room in ((0, 0, 8), (7, 0, 1), (8, 0, 0), (0, 9, 17), (640, 640, 18)):
        two.have(own, other)
        assert two.balance.room() == room
    two.have(100, 0)
    two.connections = 3
    two.balance.publish()
    assert (two.seats[0].load, two.balance.room()) == (103, 0)


def test_connections_count_as_streams_do(two: Workers) -> None:
    """A worker with many requests leaves new connections to the worker with few streams."""
    two.have(0, 5)
    two.connections = 20
    assert two.balance.room() == 0
    two.seats[1].count_connections(30)
    assert two.balance.room() == 23


def test_only_workers_that_accept_count(two: Workers) -> None:
    """A worker that starts, drains, has ended or has not reported holds nobody back."""
    two.have(5000, 0)
    assert two.balance.room() == 0
    two.seats[1].drain()
    assert two.balance.room() > ANY
    two.table.end(2)
    assert two.balance.room() > ANY
    new = two.table.begin(3, 2, 1)
    assert two.balance.room() > ANY
    new.serve()
    assert two.balance.room() == 0  # the new one gets the browsers that come back
    two.clock.now += 3
    assert two.balance.room() > ANY


def test_the_length_of_a_pause(two: Workers) -> None:
    """A pause is as long as the other worker needs to catch up, within limits."""
    for streams, seconds in ((9, 0.001), (108, 0.01), (5000, 0.02)):
        two.have(streams, 0)
        assert two.balance.room() == 0
        assert two.balance.pause() == pytest.approx(seconds)


def test_a_worker_that_is_stuck(two: Workers) -> None:
    """A worker that does not look holds back the others for half a second, until it looks again."""
    two.have(5000, 0)
    taken, waited = 0, 0.0
    while (room := two.balance.room()) <= ANY:
        taken += room
        if not room:
            waited += two.pause()
        assert waited < 1
    assert waited == pytest.approx(0.5, abs=0.021)
    assert taken > 50  # some connections were taken nevertheless
    for _ in range(3):  # it costs nothing more, even if other workers come and go
        assert two.balance.room() > ANY
    two.seats[1].look()
    assert two.balance.room() == 0


def test_a_worker_that_is_busy(two: Workers) -> None:
    """A worker that looks, but takes nothing, holds back the others for 50 ms at a time."""
    two.have(5000, 0)
    waits = []
    for _ in range(4):
        waited = 0.0
        while not (room := two.balance.room()):
            waited += two.pause(others_look=True)
        assert room == 8
        waits.append(waited)
    assert waits == pytest.approx([0.06] * 4)


def test_pauses_without_a_connection(two: Workers) -> None:
    """A connection that another worker has taken is no reason to stop pausing."""
    two.have(5000, 0)
    for _ in range(200):
        assert two.balance.room() == 0
        two.pause(waiting=False)
        two.seats[1].report()


def test_one_of_three_is_stuck(monkeypatch: pytest.MonkeyPatch) -> None:
    """While one worker is stuck, the others are balanced among each other."""
    three = Workers(3, monkeypatch)
    three.have(100, 50, 0)
    for _ in range(1000):
        if not three.balance.room():
            seconds = three.balance.pause()
            three.clock.now += seconds
            three.seats[1].look()
            for seat in three.seats:
                seat.report()
            three.balance.resume(waiting=True)
    assert three.balance.room() in (0, 8)  # because of the second
    three.have(60, 60, 0)
    assert three.balance.room() == 8
