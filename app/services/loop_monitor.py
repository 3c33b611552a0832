"""Measures how late the event loop is: work on the hub stops every stream."""

from __future__ import annotations

import time
from collections.abc import Callable

import gevent

from app.services.loop_watch import LoopWatch
from app.services.metrics_service import MetricsServiceProtocol
from app.utils.shutdown_coordinator import LifetimeEvent, ShutdownCoordinator

__all__ = ["LoopMonitor"]

INTERVAL_SECONDS = 0.1
"""Ten wake-ups a second cost nothing, and no stall that a person could feel slips through."""


class LoopMonitor:
    """Sleeps for a moment, again and again, and reports how much longer it was.

    Args:
        metrics: gets each measurement.
        shutdown_coordinator: whose AFTER_SHUTDOWN stops it.
        interval: seconds of one sleep.
        clock: monotonic seconds.
        sleep: sleeps so many seconds.
        watch: says who blocks the loop, for as long as this measures how long.
    """

    def __init__(
        self,
        metrics: MetricsServiceProtocol,
        shutdown_coordinator: ShutdownCoordinator,
        *,
        interval: float = INTERVAL_SECONDS,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = gevent.sleep,
        watch: LoopWatch | None = None,
    ) -> None:
        self._metrics = metrics
        self._interval = interval
        self._clock = clock
        self._sleep = sleep
        self._watch = watch or LoopWatch()
        self._greenlet: gevent.Greenlet[[], None] | None = None
        shutdown_coordinator.register_lifetime_notification(self._on_lifetime_event)

    def start(self) -> None:
        """Begin to measure, in the process that serves; a second call changes nothing."""
        if self._greenlet is None:
            self._greenlet = gevent.spawn(self._run)
            self._watch.start()

    def stop(self) -> None:
        """Stop measuring."""
        if self._greenlet is not None:
            self._greenlet.kill(block=False)
            self._greenlet = None
            self._watch.stop()

    def measure(self) -> None:
        """Take one measurement; lasts one interval."""
        due = self._clock() + self._interval
        self._sleep(self._interval)
        self._metrics.loop_blocked(max(0.0, self._clock() - due))

    def _run(self) -> None:
        while True:
            self.measure()

    def _on_lifetime_event(self, event: LifetimeEvent) -> None:
        if event is LifetimeEvent.AFTER_SHUTDOWN:
            self.stop()
