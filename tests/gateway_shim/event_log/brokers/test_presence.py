"""Tests of the processes of all servers, without Redis."""

from __future__ import annotations

import gevent
import pytest

from gateway_shim.event_log.brokers.presence import (
    PRESENT_SECONDS,
    STALL_SECONDS,
    BusState,
)
from gateway_shim.event_log.brokers.redis.stream import Pulse
from gateway_shim.event_log.cursor import Cursor
from tests.gateway_shim.event_log.brokers.conftest import ME, NEXT, OTHER, Known
from tests.gateway_shim.event_log.brokers.fake_stream import AWAY
from tests.support.timing import TIME_LIMIT


def test_processes_of_other_servers(known: Known) -> None:
    """Those of this server are known better by its own log."""
    assert known.beat(ME, NEXT, is_new=True) == []
    assert known.beat(ME, NEXT, OTHER) == [OTHER]
    assert known.beat(ME, NEXT) == []
    assert known.stream.seconds == [PRESENT_SECONDS] * 3


def test_a_process_that_does_not_serve_yet() -> None:
    """It learns of the others, and they do not learn of it: it would not read what they tell."""
    known = Known()
    assert known.beat(OTHER) == [OTHER]
    assert known.stream.seconds == [0.0]


def test_redis_was_away(known: Known) -> None:
    """Nobody has given a sign of life meanwhile: the others are waited for."""
    known.beat(ME, OTHER)
    known.fail()
    assert known.presence.others() == [OTHER]
    known.now += 60
    assert known.beat(ME, is_new=True) == [OTHER]
    known.now += PRESENT_SECONDS - 0.1
    assert known.beat(ME) == [OTHER]
    known.now += 0.2
    assert known.beat(ME) == []


def test_a_process_that_comes_back_in_time(known: Known) -> None:
    """It was there all the time."""
    known.beat(ME, OTHER)
    known.beat(ME, is_new=True)
    known.now += 1
    known.beat(ME, OTHER)
    known.now += PRESENT_SECONDS
    assert known.beat(ME, OTHER) == [OTHER]


def test_a_process_that_was_heard_of(known: Known) -> None:
    """It counts at once, and stays if it gives a sign of life itself."""
    known.beat(ME)
    known.presence.heard_of(OTHER)
    known.presence.heard_of(NEXT)
    assert known.presence.others() == [OTHER]
    assert known.beat(ME) == [OTHER]
    known.now += PRESENT_SECONDS + 1
    assert known.beat(ME) == []
    known.presence.heard_of(OTHER)
    known.beat(ME, OTHER)
    known.now += PRESENT_SECONDS + 1
    assert known.beat(ME, OTHER) == [OTHER]


def test_entries_that_are_missing(known: Known) -> None:
    """Those that Redis had at the last sign of life, if it still answers."""
    assert not known.presence.misses_entries
    known.beat(ME)
    assert not known.presence.misses_entries
    known.beat(ME, newest=11)
    assert known.presence.misses_entries
    known.local = ("e", 11)
    assert not known.presence.misses_entries
    known.beat(ME, epoch="f", newest=0)
    assert known.presence.misses_entries
    known.fail()
    assert not known.presence.misses_entries


def test_the_connection(known: Known) -> None:
    """A process is connected once Redis has answered, and until it does not."""
    presence = known.presence
    assert (presence.is_connected, presence.problem) == (False, "Redis was not asked yet")
    known.beat(ME)
    assert (presence.is_connected, presence.problem) == (True, None)
    since = presence.since
    known.fail()
    assert (presence.is_connected, presence.problem) == (False, str(AWAY))
    assert presence.since >= since


def test_lag(known: Known) -> None:
    """Entries count that were in Redis one sign of life ago, and are not here."""
    known.beat(ME, newest=10)
    assert known.presence.is_caught_up
    assert known.presence.lag() == 0
    known.beat(ME, newest=25)
    assert not known.presence.is_caught_up
    assert known.presence.lag() == 0
    known.beat(ME, newest=30)
    assert known.presence.lag() == 15
    known.local = ("e", 30)
    assert known.presence.lag() == 0
    known.beat(ME, epoch="f")
    known.beat(ME, epoch="f")
    assert known.presence.lag() is None


def test_a_copy_that_stands_still(known: Known) -> None:
    """Entries are missing, and for some seconds none arrives. One that arrives is enough."""
    known.beat(ME)
    for local, expected in ((10, False), (10, True), (11, False), (11, True), (12, False)):
        known.local = ("e", local)
        known.beat(ME, newest=30)
        assert known.presence.is_stalled is expected
        known.now += STALL_SECONDS
    assert known.presence.is_stalled
    known.local = ("e", 13)
    assert not known.presence.is_stalled
    known.local = ("e", 30)
    for _ in range(3):
        known.beat(ME, newest=30)
        known.now += STALL_SECONDS
        assert not known.presence.is_stalled


@pytest.mark.parametrize(
    ("connected", "problem", "lag", "expected"),
    [
        (True, None, 0, True),
        (True, None, 999, True),
        (True, None, 100_000, False),
        (True, None, None, False),
        (True, "no rights", 0, False),
        (False, None, 0, False),
    ],
)
def test_readiness(connected: bool, problem: str | None, lag: int | None, expected: bool) -> None:
    """A server is ready if events come and go. Some entries are always on their way."""
    assert BusState(connected, 0.0, problem, lag).is_ready is expected
    assert not BusState(connected, 0.0, problem, lag, is_stalled=True).is_ready


def test_the_end(known: Known) -> None:
    """The others are told; if Redis is away, they find it out by the time."""
    known.beat(ME)
    known.presence.close()
    assert known.stream.seconds[-1] == 0.0
    known.stream.pulses = [AWAY]
    known.presence.close()


def test_the_end_while_redis_is_asked(known: Known) -> None:
    """The connection has one user at a time, and nobody hears of the process after its end."""
    known.beat(ME)
    begun, ended = [], []
    pulse = known.stream.pulse

    def one_at_a_time(process: str, seconds: float, digest: str) -> Pulse:
        assert len(begun) == len(ended)
        begun.append(seconds)
        try:
            return pulse(process, seconds, digest)
        finally:
            ended.append(seconds)

    known.stream.pulse = one_at_a_time  # type: ignore[method-assign]
    known.stream.pause = 0.001
    opening = gevent.spawn(known.presence.knows, Cursor("e", 30), 0.0)
    gevent.sleep(0)
    known.presence.close()
    assert begun == [PRESENT_SECONDS, 0.0]
    assert not known.presence.knows(Cursor("e", 31), 0.0)
    assert begun == ended == [PRESENT_SECONDS, 0.0]
    opening.get()


def test_a_process_that_begins_to_serve_is_known_at_once() -> None:
    """It does not wait for its next sign of life."""
    known = Known()
    known.stream.pulses = [Pulse("e", 1, False, "", [])]
    running = gevent.spawn(known.presence.run)
    gevent.sleep(0)
    known.presence.serve()
    known.presence.serve()
    with gevent.Timeout(TIME_LIMIT):
        while PRESENT_SECONDS not in known.stream.seconds:
            gevent.sleep(0)
    assert len(known.stream.seconds) <= 2
    running.kill()


def test_reconnects_are_counted(known: Known) -> None:
    """The first connection is none."""
    for _ in range(2):
        known.beat(ME)
    assert known.presence.reconnects == 0
    known.fail()
    known.fail()
    known.beat(ME)
    assert known.presence.reconnects == 1
