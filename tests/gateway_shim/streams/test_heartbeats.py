"""The times at which heartbeats are due, by a clock that the tests set."""

from __future__ import annotations

import itertools
from typing import cast

import gevent
import pytest

from gateway_shim.streams.connection import Connection
from gateway_shim.streams.heartbeats import TICK_SECONDS, Heartbeats
from tests.gateway_shim.fakes import FakeClock
from tests.support.timing import wait_until


class FakeConnection:
    """The attributes of a connection that heartbeats use."""

    def __init__(self, name: str, over: bool = False) -> None:
        self.name = name
        self.over = over
        self.heartbeat_at = 0.0


class Beats:
    """Heartbeats of fake connections, recorded.

    Attributes:
        clock: the clock.
        start: the time at which the clock starts.
        heartbeats: the heartbeats.
        seen: the name and the time of every heartbeat, from the start of the clock.
        over: the names of connections that need no more heartbeats.
    """

    def __init__(self, interval: float = 15.0) -> None:
        self.clock = FakeClock()
        self.start = self.clock.now
        self.heartbeats = Heartbeats(interval, self._beat, self.clock)
        self.seen: list[tuple[str, float]] = []
        self.over: set[str] = set()

    def add(self, name: str, *, over: bool = False) -> None:
        """Open a connection now; it may have ended at once."""
        self.heartbeats.add(cast(Connection, FakeConnection(name, over)))

    def until(self, seconds: float) -> None:
        """Let the time pass, with wake-ups as ``next_due`` says, as in ``run``."""
        end = self.start + seconds
        while self.heartbeats.next_due() <= end:
            self.clock.now = max(self.heartbeats.next_due(), self.clock.now)
            self.heartbeats.beat_due()
            if not self.heartbeats._due:
                break
        self.clock.now = end

    def _beat(self, connection: Connection) -> bool:
        name = cast(FakeConnection, connection).name
        self.seen.append((name, self.clock.now - self.start))
        return name not in self.over


def test_own_opening_counts() -> None:
    """The heartbeats of each connection are counted from its own opening."""
    beats = Beats()
    beats.add("a")
    beats.until(4)
    beats.add("b")
    beats.until(50)
    assert beats.seen == [("a", 15), ("b", 19), ("a", 30), ("b", 34), ("a", 45), ("b", 49)]


def test_none_too_early() -> None:
    """No heartbeat is due before one interval has passed."""
    beats = Beats()
    beats.add("a")
    beats.clock.now += 14.999
    beats.heartbeats.beat_due()
    assert beats.seen == []
    beats.clock.now += 0.001
    beats.heartbeats.beat_due()
    assert len(beats.seen) == 1


def test_lateness_does_not_add_up() -> None:
    """A late heartbeat does not delay the next one."""
    beats = Beats()
    beats.add("a")
    for late in (16, 31, 46.5):
        beats.clock.now = beats.start + late
        beats.heartbeats.beat_due()
    assert beats.heartbeats.next_due() == beats.start + 60


def test_missed_heartbeats_are_not_made_up_for() -> None:
    """After a pause of the process each connection gets one heartbeat, and the next on time."""
    beats = Beats()
    beats.add("a")
    beats.clock.now += 100
    beats.heartbeats.beat_due()
    assert beats.seen == [("a", 100)]
    assert beats.heartbeats.next_due() == beats.start + 105


def test_ended_connections_do_not_pile_up() -> None:
    """With a long interval, ended connections are forgotten long before it is over."""
    beats = Beats(interval=3600)
    beats.add("lives")
    for _ in range(5000):
        beats.add("ended", over=True)
    beats.add("lives too")
    assert len(beats.heartbeats._due) < 2100
    beats.until(3600)
    assert [name for name, _ in beats.seen if name != "ended"] == ["lives", "lives too"]


def test_no_more() -> None:
    """A connection that needs no more heartbeats is forgotten."""
    beats = Beats()
    beats.add("a")
    beats.add("b")
    beats.over.add("a")
    beats.until(40)
    assert beats.seen == [("a", 15), ("b", 15), ("b", 30)]


def test_next_due() -> None:
    """Without connections the next wake-up is one interval away."""
    beats = Beats()
    assert beats.heartbeats.next_due() == beats.start + 15
    beats.heartbeats.beat_due()
    beats.clock.now += 3
    beats.add("a")
    beats.clock.now += 3
    beats.add("b")
    assert beats.heartbeats.next_due() == beats.start + 18


def test_many_let_others_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Others run, and may open streams, between many heartbeats that are due at once."""
    monkeypatch.setattr("gateway_shim.event_loop.turns.SLICE_SECONDS", 0.0)
    beats = Beats()
    for number in range(600):
        beats.add(str(number))
    turns = []

    def other() -> None:
        while True:
            turns.append(len(beats.seen))
            beats.add("new")
            gevent.sleep(0)

    beats.clock.now += 15
    greenlet = gevent.spawn(other)
    beats.heartbeats.beat_due()
    greenlet.kill()
    assert [name for name, _ in beats.seen] == [str(number) for number in range(600)]
    assert len(turns) >= 2
    assert 64 in turns


def test_run() -> None:
    """In a greenlet heartbeats come by themselves, also for streams that open meanwhile."""
    seen = []
    heartbeats = Heartbeats(0.06, lambda connection: not seen.append(connection.heartbeat_at))
    greenlet = gevent.spawn(heartbeats.run)
    try:
        gevent.sleep(0)
        heartbeats.add(cast(Connection, FakeConnection("a")))
        wait_until(lambda: len(seen) >= 3, "three heartbeats")
    finally:
        greenlet.kill()
    gaps = [later - earlier for earlier, later in itertools.pairwise(seen)]
    assert gaps == pytest.approx([0.06] * len(gaps))


def test_run_does_not_spin() -> None:
    """Others run for a tick between two wake-ups, however late heartbeats are."""
    rounds = []
    clock = FakeClock()
    heartbeats = Heartbeats(15.0, lambda connection: not rounds.append(1), clock)
    heartbeats.add(cast(Connection, FakeConnection("a")))
    clock.now += 10_000
    greenlet = gevent.spawn(heartbeats.run)
    gevent.sleep(TICK_SECONDS / 4)
    greenlet.kill()
    assert rounds == []
