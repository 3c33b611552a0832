"""Measures for how long the event loop serves nobody: work on the hub stops every stream.

A round of the loop begins when it has looked at all sockets and timers, and ends when it is about
to look at them again. In between those who are ready run one after the other, and nobody else is
served. So the length of a round counts, whether one function has filled it or a thousand. How late
a timer fires would not do: that shows about half of each round into which a timer falls.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import gevent

from app.lifecycle import LifetimeEvent, ShutdownCoordinator
from app.services.event_loop.loop_watch import LoopWatch
from app.services.metrics_service import MetricsServiceProtocol

__all__ = ["BLOCKED_FROM_SECONDS", "LoopMonitor"]

INTERVAL_SECONDS = 0.1
"""How often the measurements are reported."""

BLOCKED_FROM_SECONDS = 0.01
"""A shorter round is ordinary work and does not count as blocked."""


class LoopMonitor:
    """Times each round of the event loop, and reports the longest and the sum of the long ones.

    Args:
        metrics: gets the measurements.
        shutdown_coordinator: whose AFTER_SHUTDOWN stops it.
        interval: seconds from one report to the next.
        clock: monotonic seconds.
        watch: says who blocks the loop, for as long as this measures how long.
    """

    def __init__(
        self,
        metrics: MetricsServiceProtocol,
        shutdown_coordinator: ShutdownCoordinator,
        *,
        interval: float = INTERVAL_SECONDS,
        clock: Callable[[], float] = time.monotonic,
        watch: LoopWatch | None = None,
    ) -> None:
        self._metrics = metrics
        self._interval = interval
        self._clock = clock
        self._watch = watch or LoopWatch()
        self._greenlet: gevent.Greenlet[[], None] | None = None
        self._watchers: list[Any] = []
        self._began = 0.0
        self._longest = 0.0
        self._blocked = 0.0
        shutdown_coordinator.register_lifetime_notification(self._on_lifetime_event)

    def start(self) -> None:
        """Begin to measure, in the process that serves; a second call changes nothing."""
        if self._greenlet is not None:
            return
        loop: Any = gevent.get_hub().loop
        # The first to run in a round, and the last. ref=False: they alone must not keep the loop,
        # and so the process, alive.
        begin = loop.check(ref=False, priority=loop.MAXPRI)
        end = loop.prepare(ref=False, priority=loop.MINPRI)
        self._watchers = [begin, end]
        self._began = self._clock()
        begin.start(self._begin_round)
        end.start(self._end_round)
        self._greenlet = gevent.spawn(self._run)
        self._watch.start()

    def stop(self) -> None:
        """Stop measuring."""
        if self._greenlet is None:
            return
        self._greenlet.kill(block=False)
        self._greenlet = None
        for watcher in self._watchers:
            watcher.stop()
            watcher.close()
        self._watch.stop()

    def report(self) -> None:
        """Report what was measured since the last report."""
        longest, blocked = self._longest, self._blocked
        self._longest = self._blocked = 0.0
        self._metrics.loop_measured(longest, blocked)

    def _begin_round(self) -> None:
        self._began = self._clock()

    def _end_round(self) -> None:
        # In the hub, in every round: only arithmetic. A metric has a lock, and may have to wait.
        seconds = self._clock() - self._began
        if seconds > self._longest:
            self._longest = seconds
        if seconds >= BLOCKED_FROM_SECONDS:
            self._blocked += seconds

    def _run(self) -> None:
        while True:
            gevent.sleep(self._interval)
            self.report()

    def _on_lifetime_event(self, event: LifetimeEvent) -> None:
        if event is LifetimeEvent.AFTER_SHUTDOWN:
            self.stop()
