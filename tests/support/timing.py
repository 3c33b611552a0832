"""The one time limit of all live tests, waiting for a condition, and a fair stopwatch."""

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
"""Seconds that anything in a live test may take; a very slow machine sets TEST_TIME_SCALE.

The limit only ends a test that hangs. It is therefore many times what a busy machine needs, and
no test compares a duration with it.
"""

_PAUSE = 0.005
"""Seconds between two looks: short enough not to be felt, long enough not to spin."""


class TimeLimitPassed(AssertionError):
    """Something that a test waits for did not happen; says what."""


def wait_until(
    predicate: Callable[[], T | None], what: str | Callable[[], str], *, limit: float = TIME_LIMIT
) -> T:
    """Ask again and again until the answer is true.

    Args:
        predicate: the question; what it raises ends the waiting.
        what: what is waited for, as it goes after "waited 60.0 s for"; a function is asked
            only when the limit has passed, so that it can say how things stand then.
        limit: seconds.

    Returns:
        The first true answer.

    Raises:
        TimeLimitPassed: there was none in ``limit`` seconds.
    """
    deadline = time.monotonic() + limit
    while True:
        answer = predicate()
        if answer:
            return answer
        if time.monotonic() >= deadline:
            text = what if isinstance(what, str) else what()
            raise TimeLimitPassed(f"waited {limit:.1f} s for {text}")
        time.sleep(_PAUSE)


class Stopwatch:
    """A context manager: measures a block as a machine with nothing else to do would.

    The kernel counts how long each process was ready to run and had to wait for a processor
    (``/proc/PID/schedstat``, second field). That time says how busy the machine is, and nothing
    about the code under test, so it is taken off. Where the kernel does not count it, nothing is.

    Args:
        pids: other processes that the block waits for, one after the other: servers that it
            asks. They must outlive the block.

    Attributes:
        elapsed: seconds that the block took.
        seconds: the same without the waits for a processor.
    """

    def __init__(self, *pids: int) -> None:
        self._pids = ("self", *map(str, pids))
        self.elapsed = self.seconds = 0.0

    def __enter__(self) -> Self:
        """Start."""
        self._delay = self._delay_so_far()
        self._started = time.monotonic()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop."""
        self.elapsed = time.monotonic() - self._started
        self.seconds = max(self.elapsed - (self._delay_so_far() - self._delay), 0.0)

    def _delay_so_far(self) -> float:
        return sum(map(_processor_delay, self._pids))


def _processor_delay(pid: str) -> float:
    """How long a process's main thread has waited for a processor, seconds."""
    try:
        fields = Path(f"/proc/{pid}/schedstat").read_text().split()
    except OSError:
        return 0.0
    return int(fields[1]) / 1e9
