"""The time limit of all live tests, a function that waits for a condition, and a stopwatch."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

__all__ = ["TIME_LIMIT", "Stopwatch", "TimeLimitPassed", "wait_until"]

T = TypeVar("T")

TIME_LIMIT = 60.0 * float(os.environ.get("TEST_TIME_SCALE", "1"))
"""The limit of every wait in a live test, in seconds. A very slow machine sets TEST_TIME_SCALE.

The limit only ends a test that hangs. So it is many times as long as a busy machine needs, and no
test compares a duration with it.
"""

_SHORTEST_PAUSE = 0.002
_LONGEST_PAUSE = 0.05
"""The pauses between two calls of the condition, in seconds.

A condition often costs a request, and takes processor time from what it waits for. So each pause is
a tenth of the time so far, within these limits: a long wait ends at most a tenth later.
"""


class TimeLimitPassed(AssertionError):
    """A condition that a test waited for did not become true. The message names the condition."""


def wait_until(
    predicate: Callable[[], T | None], what: str | Callable[[], str], *, limit: float = TIME_LIMIT
) -> T:
    """Call a function again and again until its result is true.

    Args:
        predicate: the function. An exception that it raises ends the wait.
        what: the condition, as it follows "waited 60.0 s for" in the error message. A function is
            called only after the limit has passed, so that it can describe the state at that time.
        limit: the time limit, in seconds.

    Returns:
        The first true result.

    Raises:
        TimeLimitPassed: no result was true within ``limit`` seconds.
    """
    begun = time.monotonic()
    while True:
        answer = predicate()
        if answer:
            return answer
        waited = time.monotonic() - begun
        if waited >= limit:
            text = what if isinstance(what, str) else what()
            raise TimeLimitPassed(f"waited {limit:.1f} s for {text}")
        time.sleep(min(max(_SHORTEST_PAUSE, waited / 10), _LONGEST_PAUSE))


class Stopwatch:
    """A context manager that measures a block as if the machine had nothing else to do.

    The kernel counts how long each process was ready to run but had to wait for a processor
    (``/proc/PID/schedstat``, second field). This time depends on the load of the machine and not on
    the code under test, so the stopwatch subtracts it. If the kernel does not count the time,
    nothing is subtracted.

    Args:
        *pids: other processes that the block waits for one after the other, such as servers that
            it sends requests to. They must live longer than the block.

    Attributes:
        elapsed: the duration of the block, in seconds.
        seconds: the duration without the waits for a processor, in seconds.
    """

    def __init__(self, *pids: int) -> None:
        self._pids = ("self", *map(str, pids))
        self.elapsed = self.seconds = 0.0

    def __enter__(self) -> Self:
        """Start measuring."""
        self._delay = self._delay_so_far()
        self._started = time.monotonic()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop measuring."""
        self.elapsed = time.monotonic() - self._started
        self.seconds = max(self.elapsed - (self._delay_so_far() - self._delay), 0.0)

    def _delay_so_far(self) -> float:
        return sum(map(_processor_delay, self._pids))


def _processor_delay(pid: str) -> float:
    """Return how long the main thread of a process has waited for a processor, in seconds."""
    try:
        fields = Path(f"/proc/{pid}/schedstat").read_text().split()
    except OSError:
        return 0.0
    return int(fields[1]) / 1e9
