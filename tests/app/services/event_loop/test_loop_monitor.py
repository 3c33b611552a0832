"""The measurement of busy rounds of the event loop."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import gevent
import pytest

from app.lifecycle import ShutdownCoordinator
from app.services.event_loop.loop_monitor import BLOCKED_FROM_SECONDS, LoopMonitor
from app.services.metrics_service import NullMetrics
from tests.support.timing import wait_until


class RecordingMetrics(NullMetrics):
    """RecordingMetrics that record the measurements."""

    def __init__(self) -> None:
        self.measured: list[tuple[float, float]] = []

    def loop_measured(self, longest: float, blocked: float) -> None:
        """Record a measurement."""
        self.measured.append((longest, blocked))

    @property
    def longest(self) -> float:
        """The longest round so far, seconds."""
        return max((longest for longest, _ in self.measured), default=0.0)

    @property
    def blocked(self) -> float:
        """The sum of all long rounds so far, seconds."""
        return sum(blocked for _, blocked in self.measured)


def block(seconds: float) -> None:
    """Use the processor without letting other greenlets run."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


class ManualClock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture
def metrics() -> RecordingMetrics:
    """Return the fake metrics."""
    return RecordingMetrics()


@pytest.fixture
def clock() -> ManualClock:
    """Return a clock that stands still."""
    return ManualClock()


@pytest.fixture
def monitor(metrics: RecordingMetrics, clock: ManualClock) -> Iterator[LoopMonitor]:
    """Return a monitor that reports when the test calls it."""
    monitor = LoopMonitor(metrics, ShutdownCoordinator(0.0), interval=3600.0, clock=clock)
    monitor.start()
    gevent.sleep(0.001)
    yield monitor
    monitor.stop()


def spawn_and_wait(clock: ManualClock, *seconds: float) -> None:
    """Run greenlets that work for some seconds each, and are ready at the same time."""

    def work(seconds: float) -> None:
        clock.now += seconds

    gevent.joinall([gevent.spawn(work, each) for each in seconds])
    gevent.sleep(0.001)


def test_a_round_counts_however_many_fill_it(
    monitor: LoopMonitor, metrics: RecordingMetrics, clock: ManualClock
) -> None:
    """A round of ten greenlets with 8 ms each blocks the loop for 80 ms."""
    spawn_and_wait(clock, *[0.008] * 10)
    monitor.report()
    assert metrics.measured == [(pytest.approx(0.08), pytest.approx(0.08))]


def test_ordinary_rounds_do_not_count(
    monitor: LoopMonitor, metrics: RecordingMetrics, clock: ManualClock
) -> None:
    """A short round counts only as the longest; each report starts again."""
    spawn_and_wait(clock, BLOCKED_FROM_SECONDS / 2)
    spawn_and_wait(clock, BLOCKED_FROM_SECONDS / 4)
    monitor.report()
    monitor.report()
    assert metrics.measured == [(pytest.approx(BLOCKED_FROM_SECONDS / 2), 0.0), (0.0, 0.0)]


def test_waiting_is_no_work(
    monitor: LoopMonitor, metrics: RecordingMetrics, clock: ManualClock
) -> None:
    """Time that the loop waits for sockets and timers does not count."""
    loop: Any = gevent.get_hub().loop
    # This runs before the monitor notes the beginning of the round: of watchers with the same
    # priority, libev calls the one first that was started last.
    asleep = loop.check(priority=loop.MAXPRI)
    asleep.start(lambda: setattr(clock, "now", clock.now + 5.0))
    gevent.sleep(0.001)
    asleep.stop()
    asleep.close()
    monitor.report()
    assert metrics.longest == 0.0


def test_a_real_stall_is_seen(metrics: RecordingMetrics) -> None:
    """Work on the hub that blocks the loop is reported with its whole length."""
    monitor = LoopMonitor(metrics, ShutdownCoordinator(0.0), interval=0.001)
    monitor.start()
    monitor.start()
    gevent.sleep(0)
    for _ in range(4):
        block(0.05)
        gevent.sleep(0.001)
    wait_until(lambda: metrics.blocked >= 0.2, "the measurements")
    monitor.stop()
    assert metrics.longest >= 0.05


def test_it_measures_until_the_shutdown_is_over(metrics: RecordingMetrics) -> None:
    """AFTER_SHUTDOWN stops the monitor; a second stop changes nothing."""
    coordinator = ShutdownCoordinator(0.0)
    monitor = LoopMonitor(metrics, coordinator, interval=0.001)
    monitor.stop()
    monitor.start()
    wait_until(lambda: metrics.measured, "a measurement")
    coordinator.shutdown()
    gevent.sleep(0)
    count = len(metrics.measured)
    gevent.sleep(0.02)
    monitor.stop()
    assert len(metrics.measured) == count


def test_the_longest_round_is_taken_once(
    monitor: LoopMonitor, metrics: RecordingMetrics, clock: ManualClock
) -> None:
    """The longest round counts until it is taken, reported or not, and then no more."""
    spawn_and_wait(clock, 0.5)
    monitor.report()
    spawn_and_wait(clock, 0.25)
    assert monitor.take_longest() == pytest.approx(0.5)
    spawn_and_wait(clock, 0.125)
    assert monitor.take_longest() == pytest.approx(0.125)
    assert monitor.take_longest() == 0.0
    assert metrics.blocked == pytest.approx(0.875)  # what is taken is reported, too
