"""Measures for how long the event loop is busy: while it is, no stream is served.

A round of the loop begins when the loop has checked all sockets and timers, and ends when it is
about to check them again. In between, the greenlets that are ready run one after the other, and no
other is served. So the length of a round counts, no matter whether one function or a thousand
functions have filled it. The delay of a timer would be the wrong measure: it shows only about half
of a round into which the timer falls.
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
"""The time from one report of the measurements to the next."""

BLOCKED_FROM_SECONDS = 0.01
"""A shorter round is ordinary work and does not count as blocked."""


class LoopMonitor:
    """Times each round of the event loop; reports the longest round and the sum of the long rounds.

    Args:
        metrics: gets the measurements.
        shutdown_coordinator: its AFTER_SHUTDOWN stops the measurements.
        interval: seconds from one report to the next.
        clock: monotonic seconds.
        watch: logs what blocks the loop; it is started and stopped together with this monitor.
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
        self._watchers: list[Any] = []  # of libev: the first and the last callback of a round
        self._began = 0.0  # the beginning of the round
        self._longest = 0.0  # the longest round since the last report, seconds
        self._blocked = 0.0  # all long rounds since the last report, seconds
        self._longest_untaken = 0.0  # the longest reported round since take_longest(), seconds
        shutdown_coordinator.register_lifetime_notification(self._on_lifetime_event)

    def start(self) -> None:
        """Start to measure, in the process that serves. A second call changes nothing."""
        if self._greenlet is not None:
            return
        loop: Any = gevent.get_hub().loop
        # The first callback of a round, and the last. ref=False: the two alone must not keep the
        # loop, and thus the process, running.
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
        """Report the measurements since the last report."""
        longest, blocked = self._longest, self._blocked
        self._longest = self._blocked = 0.0
        self._longest_untaken = max(self._longest_untaken, longest)
        self._metrics.loop_measured(longest, blocked)

    def take_longest(self) -> float:
        """Return the longest round since the last call, seconds. For one reader only.

        The round that runs now is not over and does not count.
        """
        longest = max(self._longest_untaken, self._longest)
        # Reported first: otherwise the next call would return this round again.
        self.report()
        self._longest_untaken = 0.0
        return longest

    def _begin_round(self) -> None:
        self._began = self._clock()

    def _end_round(self) -> None:
        # This runs in the hub, in every round, so it does arithmetic only. A metric has a lock, for
        # which it may have to wait.
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
