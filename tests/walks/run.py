"""Runs walks, each within a bounded time."""

from __future__ import annotations

import random
import signal
from collections.abc import Sequence

from tests.walks.operations import Settings, Step, make_settings, make_steps
from tests.walks.walk import Walk
from tests.walks.walk_failed import WalkFailed

__all__ = ["STEPS", "run_seed", "run_steps"]

STEPS = 60
"""The steps of a walk."""


def run_seed(seed: int, count: int = STEPS) -> None:
    """Walk.

    Args:
        seed: draws the settings and the steps.
        count: the number of steps.

    Raises:
        WalkFailed: the promise was broken.
    """
    rng = random.Random(seed)
    settings = make_settings(rng)
    run_steps(settings, make_steps(rng, count), seed)


class Endless(Exception):
    """A walk takes more processor time than any walk needs."""


_LIMIT_SECONDS = 2.0
"""The processor time of a walk, 300 times as much as most walks take."""


def _stop(number: int, frame: object) -> None:
    raise Endless


def run_steps(settings: Settings, steps: Sequence[Step], seed: int = 0) -> None:
    """Take the steps of a walk, then let it end.

    Raises:
        WalkFailed: the promise was broken.
    """
    random.seed(seed)  # the gateway draws the pauses of a drain
    before = signal.signal(signal.SIGVTALRM, _stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, _LIMIT_SECONDS, 0.1)
    try:
        with Walk(settings) as walk:
            for step in steps:
                walk.take(step)
            walk.end()
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    except Endless as exc:
        raise WalkFailed(["endless"], walk.trace, steps) from exc
    except WalkFailed as exc:
        exc.steps = steps
        raise
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
