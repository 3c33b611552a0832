"""Many calls are limited by one timer."""

from __future__ import annotations

from collections.abc import Iterator

import gevent
import pytest

from gateway_shim.streams.callbacks.time_limit import TimeLimit
from tests.gateway_shim.fakes import FakeClock
from tests.gateway_shim.hub_errors import HubErrors
from tests.support.timing import TIME_LIMIT, wait_until


class Late(BaseException):
    """The time limit of a call has passed."""


class Calls:
    """Calls in greenlets, each of which lasts until it is released or ended.

    Attributes:
        clock: the clock of the limit.
        limit: a limit of five seconds.
        late: the numbers of the calls that were ended.
    """

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.limit = TimeLimit(5, Late, self.clock)
        self.late: list[int] = []
        self.greenlets: list[gevent.Greenlet[..., None]] = []

    def begin(self, number: int) -> None:
        """Begin a call."""
        self.greenlets.append(gevent.spawn(self._call, number))
        gevent.sleep(0)

    def _call(self, number: int) -> None:
        self.limit.begin()
        try:
            gevent.sleep(TIME_LIMIT)
        except Late:
            self.late.append(number)
        finally:
            self.limit.end()


@pytest.fixture
def calls() -> Iterator[Calls]:
    """Provide calls, which are killed at the end."""
    calls = Calls()
    with HubErrors():
        yield calls
    gevent.killall(calls.greenlets)


def test_late_calls_are_ended(calls: Calls) -> None:
    """A call is ended when its own time is over, not before."""
    calls.begin(1)
    calls.clock.now += 3
    calls.begin(2)
    calls.limit._look()
    assert calls.late == []
    calls.clock.now += 2
    wait_until(lambda: calls.late == [1], "the first call to be ended")
    calls.clock.now += 3
    wait_until(lambda: calls.late == [1, 2], "the second call to be ended")
    wait_until(lambda: calls.limit._timer is None, "the timer to end")


def test_calls_that_end_are_forgotten(calls: Calls) -> None:
    """A call that has ended, or whose greenlet was killed, is not limited any more."""
    calls.begin(1)
    assert len(calls.limit) == 1
    gevent.killall(calls.greenlets)
    assert len(calls.limit) == 0
    calls.clock.now += 10
    wait_until(lambda: calls.limit._timer is None, "the timer to end")
    calls.begin(2)
    assert len(calls.limit) == 1
    assert calls.limit._timer is not None
    assert calls.late == []


def test_a_call_that_goes_on(calls: Calls) -> None:
    """A call that catches the exception is not interrupted again."""

    def stubborn() -> None:
        calls.limit.begin()
        for number in (1, 2):
            try:
                gevent.sleep(TIME_LIMIT)
            except Late:
                calls.late.append(number)
        calls.limit.end()

    calls.greenlets.append(gevent.spawn(stubborn))
    gevent.sleep(0)
    calls.clock.now += 5
    wait_until(lambda: calls.late == [1], "the call to be interrupted")
    calls.clock.now += 100
    wait_until(lambda: calls.limit._timer is None, "the timer to end")
    assert calls.late == [1]
    calls.greenlets[0].kill()
