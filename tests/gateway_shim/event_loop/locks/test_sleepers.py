"""Sleepers, which wait in a thread or in a greenlet until they are woken."""

from __future__ import annotations

from collections.abc import Iterator
from time import monotonic

import gevent
import pytest
from gevent.hub import get_hub
from gevent.threadpool import ThreadPool

from gateway_shim.event_loop.locks.sleepers import LoopSleeper, Sleeper, ThreadSleeper
from tests.support.timing import TIME_LIMIT


@pytest.fixture(params=["thread", "loop"])
def sleeper(request: pytest.FixtureRequest) -> Iterator[Sleeper]:
    """Return the sleeper under test, of either kind."""
    if request.param == "thread":
        yield ThreadSleeper()
        return
    in_loop = LoopSleeper(get_hub())
    yield in_loop
    in_loop.close()


def test_a_wake_up_that_comes_first_is_kept(sleeper: Sleeper) -> None:
    """A sleep ends at once if its wake-up came first; each wake-up ends one sleep."""
    for _ in range(3):
        assert sleeper.wake()
        assert sleeper.sleep(monotonic() + TIME_LIMIT)
    assert not sleeper.sleep(monotonic() + 0.001)


def test_another_thread_wakes(pool: ThreadPool, sleeper: Sleeper) -> None:
    """Another thread ends a sleep, with and without a deadline."""
    for deadline in (None, monotonic() + TIME_LIMIT):
        pool.spawn(sleeper.wake)
        assert sleeper.sleep(deadline)


def test_a_deadline_that_has_passed(sleeper: Sleeper) -> None:
    """A sleep whose deadline has passed ends at once and raises nothing."""
    assert not sleeper.sleep(monotonic() - 1)


def test_other_greenlets_run_meanwhile() -> None:
    """The event loop runs other greenlets while one sleeps."""
    sleeper = LoopSleeper(get_hub())
    gevent.spawn(sleeper.wake)
    assert sleeper.sleep(None)
    sleeper.close()


def test_one_that_is_done_may_be_woken_late() -> None:
    """A late wake-up of a closed sleeper does no harm."""
    sleeper = LoopSleeper(get_hub())
    sleeper.close()
    assert sleeper.wake()


def test_one_whose_loop_is_gone_says_so(pool: ThreadPool) -> None:
    """A sleeper whose loop is gone reports that it can never run again."""

    def make() -> LoopSleeper:
        sleeper = LoopSleeper(get_hub())
        get_hub().destroy(True)
        return sleeper

    assert pool.spawn(make).get(timeout=TIME_LIMIT).wake() is False
