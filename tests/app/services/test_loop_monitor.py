"""Measures how late the event loop is."""

from __future__ import annotations

import time

import gevent
import pytest
from gevent.event import Event

from app.services.loop_monitor import LoopMonitor
from app.services.metrics_service import NullMetrics
from app.utils.shutdown_coordinator import ShutdownCoordinator
from tests.support.timing import wait_until


class Metrics(NullMetrics):
    """Remembers the measurements."""

    def __init__(self) -> None:
        self.lags: list[float] = []

    def loop_blocked(self, seconds: float) -> None:
        """Remember a measurement."""
        self.lags.append(seconds)


@pytest.mark.parametrize(("slept", "lag"), [(1.0, 0.0), (1.5, 0.5), (0.9, 0.0)])
def test_a_measurement_is_how_late_the_sleep_ended(slept: float, lag: float) -> None:
    """A sleep that ends in time, or a little early, is no lag."""
    now, metrics = [100.0], Metrics()

    def sleep(seconds: float) -> None:
        assert seconds == 1.0
        now[0] += slept

    monitor = LoopMonitor(
        metrics, ShutdownCoordinator(0.0), interval=1.0, clock=lambda: now[0], sleep=sleep
    )
    monitor.measure()
    assert metrics.lags == [lag]


def test_a_real_stall_is_seen() -> None:
    """Work on the hub that lets nobody else run is reported with its length."""
    metrics = Metrics()
    monitor = LoopMonitor(metrics, ShutdownCoordinator(0.0), interval=0.001)
    monitor.start()
    monitor.start()
    gevent.sleep(0)
    end = time.perf_counter() + 0.05
    while time.perf_counter() < end:
        pass
    wait_until(lambda: metrics.lags, "a measurement")
    monitor.stop()
    assert metrics.lags[0] > 0.03


def test_it_measures_until_the_shutdown_is_over() -> None:
    """AFTER_SHUTDOWN stops it; stopping again, or what never started, does nothing."""
    metrics, coordinator, step = Metrics(), ShutdownCoordinator(0.0), Event()

    def sleep(seconds: float) -> None:
        step.wait()
        step.clear()

    monitor = LoopMonitor(metrics, coordinator, sleep=sleep, clock=lambda: 0.0)
    monitor.start()
    step.set()
    wait_until(lambda: metrics.lags, "a measurement")
    coordinator.shutdown()
    gevent.sleep(0)
    step.set()
    gevent.sleep(0)
    monitor.stop()
    assert metrics.lags == [0.0]
