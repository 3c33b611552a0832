"""Heartbeats: one greenlet and one queue for all streams.

The interval is the same for every stream, so heartbeats are due in the order in which streams have
opened: one queue is enough, and no stream needs its own timer.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import gevent

from gateway_shim.event_loop.turns import YIELD_EVERY, let_others_run_if_due
from gateway_shim.streams.connection import Connection

__all__ = ["TICK_SECONDS", "Heartbeats"]

TICK_SECONDS = 0.05
"""The shortest sleep. Heartbeats that are due within one tick share one wake-up, so a heartbeat may
be late by this time."""

_MIN_SWEEP = 1024


class Heartbeats:
    """Calls ``beat`` for every connection once an interval, counted from its stream's opening.

    Args:
        interval: seconds.
        beat: writes a heartbeat; returns False if the connection needs no further heartbeat.
        clock: monotonic seconds.
        turn: held while heartbeats are written, as by a broadcast: they may name a position in the
            log, and in the middle of a broadcast some streams have not got the event yet.
    """

    def __init__(
        self,
        interval: float,
        beat: Callable[[Connection], bool],
        clock: Callable[[], float] = time.monotonic,
        turn: AbstractContextManager[None] | None = None,
    ) -> None:
        self._turn = turn or nullcontext()
        self._interval = interval
        self._beat = beat
        self._clock = clock
        # The connections in the order of their next heartbeats (`Connection.heartbeat_at`).
        self._due: deque[Connection] = deque()
        # The length of the queue at which ended connections are removed.
        self._sweep_at = _MIN_SWEEP

    def add(self, connection: Connection) -> None:
        """Start a connection's heartbeats. The first is due in one interval."""
        if len(self._due) >= self._sweep_at:
            self._sweep()
        connection.heartbeat_at = self._clock() + self._interval
        self._due.append(connection)

    def run(self) -> None:
        """Write heartbeats without end. Call this in a new greenlet."""
        while True:
            gevent.sleep(max(self.next_due() - self._clock(), TICK_SECONDS))
            self.beat_due()

    def next_due(self) -> float:
        """Return the time of the next heartbeat, by the clock."""
        return self._due[0].heartbeat_at if self._due else self._clock() + self._interval

    def beat_due(self) -> None:
        """Write every heartbeat that is due."""
        now = self._clock()
        while self._due and self._due[0].heartbeat_at <= now:
            with self._turn:
                for _ in range(YIELD_EVERY):
                    if not self._due or self._due[0].heartbeat_at > now:
                        break
                    self._beat_next(now)
            let_others_run_if_due()

    def _beat_next(self, now: float) -> None:
        connection = self._due.popleft()
        if self._beat(connection):
            # Counted from the time when it was due, so that delays do not add up. Heartbeats
            # that were missed while the process did not run (stopped, paused) are left out.
            missed = (now - connection.heartbeat_at) // self._interval
            connection.heartbeat_at += self._interval * (1 + missed)
            self._due.append(connection)

    def _sweep(self) -> None:
        """Remove the connections that have ended. A long interval would let them pile up.

        The queue is swept when it is twice as long as after the last sweep, so the cost for each
        connection is constant.
        """
        self._due = deque(connection for connection in self._due if not connection.over)
        self._sweep_at = 2 * len(self._due) + _MIN_SWEEP
