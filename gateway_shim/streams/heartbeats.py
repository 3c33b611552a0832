"""Heartbeats: one greenlet and one queue for all streams.

The interval is the same for every stream, so the order in which heartbeats are due is the order
in which streams opened: a FIFO, and no timer per stream.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

import gevent

from gateway_shim.event_loop.turns import YIELD_EVERY, let_others_run_if_due
from gateway_shim.streams.connection import Connection

__all__ = ["TICK_SECONDS", "Heartbeats"]

TICK_SECONDS = 0.05
"""Those due within one tick share one wake-up; a heartbeat is late by that, if the loop is not."""

_FEWEST_SWEPT = 1024


class Heartbeats:
    """Calls ``beat`` for every connection once an interval, counted from its own opening.

    Args:
        interval: seconds.
        beat: writes a heartbeat; False when the connection needs no more of them.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        interval: float,
        beat: Callable[[Connection], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._interval = interval
        self._beat = beat
        self._clock = clock
        self._due: deque[Connection] = deque()
        self._sweep_at = _FEWEST_SWEPT

    def add(self, connection: Connection) -> None:
        """Start a connection's heartbeats: the first one is due in one interval."""
        if len(self._due) >= self._sweep_at:
            self._sweep()
        connection.heartbeat_at = self._clock() + self._interval
        self._due.append(connection)

    def _sweep(self) -> None:
        """Forget those that have ended. With a long interval they would be many before it is over.

        Done when there are twice as many as after the last time, so that it costs each a constant.
        """
        self._due = deque(connection for connection in self._due if not connection.over)
        self._sweep_at = 2 * len(self._due) + _FEWEST_SWEPT

    def run(self) -> None:
        """Beat for ever; run it in a greenlet of its own."""
        while True:
            gevent.sleep(max(self.next_due() - self._clock(), TICK_SECONDS))
            self.beat_due()

    def next_due(self) -> float:
        """When the next heartbeat is due, by the clock."""
        return self._due[0].heartbeat_at if self._due else self._clock() + self._interval

    def beat_due(self) -> None:
        """Write every heartbeat that is due."""
        now, written = self._clock(), 0
        while self._due and self._due[0].heartbeat_at <= now:
            connection = self._due.popleft()
            if self._beat(connection):
                # From when it was due, not from now: lateness does not add up. What was missed
                # while nothing ran (a stopped process, a paused machine) is not made up for.
                missed = (now - connection.heartbeat_at) // self._interval
                connection.heartbeat_at += self._interval * (1 + missed)
                self._due.append(connection)
            written += 1
            if written % YIELD_EVERY == 0:
                let_others_run_if_due()
