"""The numbers of tasks: the order of all starts, of all processes of a server, over restarts."""

from __future__ import annotations

import secrets
from datetime import datetime

__all__ = ["TaskNumbers"]

_PER_MICROSECOND = 1000
"""Each process has one of a thousand numbers in each microsecond, so two processes that run at the
same time do not give out the same number."""


class TaskNumbers:
    """The numbers that one process gives out. Each is larger than those before.

    A number is a time, so it stays in order with the numbers of other processes. It grows even if
    the clock is set back.
    """

    def __init__(self) -> None:
        self._last = 0
        self._own = 0  # which of the numbers of a microsecond this process uses

    def next(self, now: datetime) -> int:
        """Return the number of a task that starts now.

        Args:
            now: the time of day, UTC.
        """
        microsecond = max(int(now.timestamp() * 1e6), self._last // _PER_MICROSECOND + 1)
        self._last = microsecond * _PER_MICROSECOND + self._own
        return self._last

    def go_on_after(self, number: int, place: int | None) -> None:
        """Give out larger numbers than one that was given out before.

        Args:
            number: the largest number that is known.
            place: a number that no other process has that runs at the same time; None: none could
                be had, and one is drawn.
        """
        self._last = max(self._last, number)
        own = secrets.randbelow(_PER_MICROSECOND) if place is None else place
        self._own = own % _PER_MICROSECOND
