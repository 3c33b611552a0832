"""Leaves steps out of a walk that fails, as long as it still fails in the same way."""

from __future__ import annotations

import random

from tests.walks.operations import Settings, Step, make_settings, make_steps
from tests.walks.run import STEPS, run_steps
from tests.walks.walk_failed import WalkFailed

__all__ = ["shrink", "shrink_seed"]


def shrink_seed(seed: int, count: int = STEPS) -> WalkFailed | None:
    """Return the failure of a short walk that fails as the walk of a seed does.

    Returns:
        None if the walk of the seed does not fail.
    """
    rng = random.Random(seed)
    settings = make_settings(rng)
    return shrink(settings, make_steps(rng, count), seed)


def shrink(settings: Settings, steps: list[Step], seed: int) -> WalkFailed | None:
    """Return the failure of a part of the steps; None if all of them together do not fail."""
    failure = _failure(settings, steps, seed)
    if failure is None:
        return None
    size = len(steps) // 2
    while size:
        start = 0
        while start < len(steps):
            shorter = steps[:start] + steps[start + size :]
            found = _failure(settings, shorter, seed)
            if found is None or found.kind != failure.kind:
                start += size
            else:
                steps, failure = shorter, found
        size //= 2
    return failure


def _failure(settings: Settings, steps: list[Step], seed: int) -> WalkFailed | None:
    try:
        run_steps(settings, steps, seed)
    except WalkFailed as exc:
        return exc
    return None
