"""The one time limit of all live tests, and waiting for a condition."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TypeVar

__all__ = ["TIME_LIMIT", "TimeLimitPassed", "wait_until"]

T = TypeVar("T")

TIME_LIMIT = 10.0 * float(os.environ.get("TEST_TIME_SCALE", "1"))
"""Seconds that anything in a live test may take; a slow machine sets TEST_TIME_SCALE."""

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
        what: what is waited for, as it goes after "waited 10.0 s for"; a function is asked
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
