"""Measures for how long the event loop serves nobody."""

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


class Metrics(NullMetrics):
    """Remembers the measurements."""

    def __init__(self) -> None:
        self.measured: list[tuple[float, float]] = []

    def loop_measured(self, longest: float, blocked: float) -> None:
        """Remember a measurement."""
        self.measured.append((longest, blocked))

    @property
    def longest(self) -> float:
        """The longest round so far, seconds."""
        return max((longest for longest, _ in self.measured), default=0.0)

    @property
    def blocked(self) -> float:
        """All long rounds so far, seconds."""
        return sum(blocked for _, blocked in self.measured)


def block(seconds: float) -> None:
    """Keep the processor and let nobody else run."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


class Stepped:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """The time."""
        return self.now


@pytest.fixture
def metrics() -> Metrics:
    """Where the measurements go."""
    return Metrics()


@pytest.fixture
def clock() -> Stepped:
    """Time stands still."""
    return Stepped()


@pytest.fixture
def monitor(metrics: Metrics, clock: Stepped) -> Iterator[LoopMonitor]:
    """A monitor that reports when it is told to."""
    monitor = LoopMonitor(metrics, ShutdownCoordinator(0.0), interval=3600.0, clock=clock)
    monitor.start()
    gevent.sleep(0.001)
    yield monitor
    monitor.stop()


def spawn_and_wait(clock: Stepped, *seconds: float) -> None:
    """Have greenlets work for so many seconds each, all of them ready at once."""

    def work(seconds: float) -> None:
        clock.now += seconds

    gevent.joinall([gevent.spawn(work, each) for each in seconds])
    gevent.sleep(0.001)


def test_a_round_counts_however_many_fill_it(
    monitor: LoopMonitor, metrics: Metrics, clock: Stepped
) -> None:
    """Ten who are ready with 8 ms each keep everybody else waiting for 80 ms."""
    spawn_and_wait(clock, *[0.008] * 10)
    monitor.report()
    assert metrics.measured == [(pytest.approx(0.08), pytest.approx(0.08))]


def test_ordinary_rounds_do_not_count(
    monitor: LoopMonitor, metrics: Metrics, clock: Stepped
) -> None:
    """Only as the longest so far; each report begins anew."""
    spawn_and_wait(clock, BLOCKED_FROM_SECONDS / 2)
    spawn_and_wait(clock, BLOCKED_FROM_SECONDS / 4)
    monitor.report()
    monitor.report()
    assert metrics.measured == [(pytest.approx(BLOCKED_FROM_SECONDS / 2), 0.0), (0.0, 0.0)]


def test_waiting_is_no_work(monitor: LoopMonitor, metrics: Metrics, clock: Stepped) -> None:
    """Time that passes while the loop waits for sockets and timers is nobody's."""
    loop: Any = gevent.get_hub().loop
    # Before the monitor sees that the round has begun: of one priority, libev calls first whoever
    # was started last.
    asleep = loop.check(priority=loop.MAXPRI)
    asleep.start(lambda: setattr(clock, "now", clock.now + 5.0))
    gevent.sleep(0.001)
    asleep.stop()
    asleep.close()
    monitor.report()
    assert metrics.longest == 0.0


def test_a_real_stall_is_seen(metrics: Metrics) -> None:
    """Work on the hub that lets nobody else run is reported with its whole length."""
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


def test_it_measures_until_the_shutdown_is_over(metrics: Metrics) -> None:
    """AFTER_SHUTDOWN stops it; stopping again, or what never started, does nothing."""
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
