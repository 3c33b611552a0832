"""Limits the time of many short calls with one timer.

A timer for each call would cost more than most calls take. All calls have the same limit, so they
are due in the order in which they have begun: it is enough to look at the oldest from time to time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import gevent

__all__ = ["LOOK_SECONDS", "TimeLimit"]

LOOK_SECONDS = 0.05
"""The seconds between two looks at the oldest call: a call may last this much longer."""


class TimeLimit:
    """A time limit for calls in greenlets. One call of a greenlet at a time.

    Args:
        seconds: the limit.
        error: makes the exception that is raised in a call that has lasted for too long. It should
            be a BaseException, such as :class:`gevent.Timeout`.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        seconds: float,
        error: Callable[[], BaseException],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._seconds = seconds
        self._error = error
        self._clock = clock
        # The end of each call that is under way, by its greenlet; the oldest first.
        self._ends: dict[Any, float] = {}
        # Looks at the oldest call. It goes on until there is no call.
        self._timer: Any = None

    def __len__(self) -> int:
        """Return the number of calls under way."""
        return len(self._ends)

    def begin(self) -> None:
        """Begin to limit the calling greenlet. Call :meth:`end` in any case afterwards."""
        self._ends[gevent.getcurrent()] = self._clock() + self._seconds
        if self._timer is None:
            self._timer = gevent.get_hub().loop.timer(LOOK_SECONDS, LOOK_SECONDS)
            self._timer.start(self._look)

    def end(self) -> None:
        """No longer limit the calling greenlet."""
        self._ends.pop(gevent.getcurrent(), None)

    def _look(self) -> None:
        """End the calls that have lasted for too long. Called in the hub."""
        now = self._clock()
        while self._ends:
            caller, end = next(iter(self._ends.items()))
            if end > now:
                return
            del self._ends[caller]
            caller.throw(self._error())
        self._timer.close()
        self._timer = None
