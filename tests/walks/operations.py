"""The steps of a walk: what may happen next to servers and browsers, and how often each happens.

A step is its name and three numbers from 0 to 999, which choose among what there is when the step
is taken. So each step can be taken in any state, and a failing walk can be shortened by leaving
steps out.
"""

from __future__ import annotations

import random
from typing import NamedTuple

__all__ = ["Settings", "Step", "make_settings", "make_steps"]


class Step(NamedTuple):
    """One step.

    Args:
        name: the name of a method of :class:`~tests.walks.walk.Walk`.
        a: the first number.
        b: the second number.
        c: the third number.
    """

    name: str
    a: int
    b: int
    c: int


class Settings(NamedTuple):
    """The settings of a walk, which do not change during it.

    Args:
        servers: the number of processes.
        log_bytes: the bytes that the log keeps.
        retry_ms: the ``retry:`` of the first event.
        waits: True if appends may wait before they append.
    """

    servers: int
    log_bytes: int
    retry_ms: int | None
    waits: bool


WEIGHTS = {
    "publish": 30,
    "note": 8,
    "send": 8,
    "open": 16,
    "answer": 10,
    "cut": 8,
    "allow": 16,
    "stall": 8,
    "proceed": 16,
    "finish": 5,
    "beat": 6,
    "look": 6,
    "interrupt": 3,
    "burst": 2,
    "overtake": 2,
    "expire": 1,
    "begin_epoch": 2,
    "drain": 1,
    "kill": 1,
    "close": 1,
}
"""The frequency of each step, if a walk may take all of them."""

_ALWAYS = {"publish", "open", "answer"}
"""The steps without which nothing happens."""

_WEIGHTS: tuple[dict[str, int], ...] = (
    WEIGHTS,
    WEIGHTS,
    WEIGHTS,
    # Deliveries that are interrupted, and heartbeats in the middle of them.
    {"publish": 30, "note": 5, "proceed": 30, "beat": 25, "interrupt": 12, "open": 3, "finish": 3},
    # Epochs that begin while streams open.
    {"publish": 12, "open": 15, "answer": 12, "begin_epoch": 8, "look": 8, "proceed": 8},
    # Clients that read slowly, and entries that are trimmed meanwhile, also during deliveries.
    {"publish": 20, "overtake": 15, "proceed": 20, "stall": 20, "allow": 15, "begin_epoch": 4},
    {
        "publish": 20,
        "note": 10,
        "burst": 10,
        "stall": 20,
        "allow": 25,
        "send": 5,
        "open": 5,
        "answer": 5,
    },
)
"""The frequencies of the steps: of all of them, and of those that lead to rare states."""

_ANSWERED = 27
"""The number with which ``open`` asks without a cursor, and the backend answers at once."""

_LOG_BYTES = (8 * 40, 8 * 150, 8 * 600, 8 * 600, 8 * 100_000, 8 * 100_000)


def make_settings(rng: random.Random) -> Settings:
    """Draw the settings of a walk."""
    return Settings(
        servers=rng.choice((1, 1, 2)),
        log_bytes=rng.choice(_LOG_BYTES),
        retry_ms=rng.choice((None, None, 3000)),
        waits=rng.random() < 0.2,
    )


def make_steps(rng: random.Random, count: int) -> list[Step]:
    """Draw the steps of a walk.

    Each walk has weights of its own, so that some walks do much of what others hardly do.
    """
    weights = rng.choice(_WEIGHTS)
    drawn = [weight * rng.choice((name in _ALWAYS, 1, 1, 1, 4)) for name, weight in weights.items()]
    names = rng.choices(list(weights), drawn, k=count)
    steps = [Step(name, *(rng.randrange(1000) for _ in range(3))) for name in names]
    if rng.random() < 0.6:
        # Most browsers have an open stream, and read: rare steps meet the most common state.
        for browser in range(4):
            steps.insert(browser, Step("open", browser, rng.randrange(1000), _ANSWERED))
    return steps
