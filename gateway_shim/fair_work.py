"""Long pieces of work of many clients, done in small steps between which others run."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from gevent.event import Event as Signal

from gateway_shim.turns import let_others_run

__all__ = ["SLICE_SECONDS", "FairWork"]

SLICE_SECONDS = 0.002
"""How long all work of a kind together may have the event loop before others run."""


class FairWork:
    """Shares the event loop between all work of a kind and everybody else.

    A thousand pieces of work that each let others run after 2 ms would still have the event loop
    for two seconds in a row. So the slice is of all of them together, and those that want to go on
    queue up: each time that the event loop has gone round, one slice's worth of them does a step.
    Used in the hub's thread.

    Args:
        seconds: the slice; 0: the event loop goes round before each step.
        turns: how often it goes round then.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        seconds: float = SLICE_SECONDS,
        turns: int = 1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._seconds = seconds
        self._turns = turns
        self._clock = clock
        self._went_round = clock()
        # Those who wait, in order. A semaphore would be taken again by the one that gives it
        # back, before the next in line has run.
        self._line: deque[Signal] = deque()

    def pause(self) -> None:
        """Let others run if it is time; call it between two small steps."""
        if not self._line and self._clock() - self._went_round < self._seconds:
            return
        place = Signal()
        self._line.append(place)
        try:
            if self._line[0] is not place:
                place.wait()
            if self._clock() - self._went_round >= self._seconds:
                for _ in range(self._turns):
                    let_others_run()
                self._went_round = self._clock()
        finally:
            was_first = self._line[0] is place
            self._line.remove(place)
            if was_first and self._line:
                self._line[0].set()
