"""The lengths of stay of the soak's clients.

Some clients stay for the whole run. The others come and go at a constant rate.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

__all__ = ["STAYS", "stays"]

STAYS = (0.2, 1.0, 5.0, 20.0)
"""The lengths of stay of a visitor, in seconds. Each is equally likely."""

_RESIDENT_EVERY = 5
"""One client of this many is a resident: it never leaves, and must get every event of the run."""


def stays(number: int, seconds: float, source: random.Random) -> Iterator[float]:
    """Yield the length of stay of each of a client's streams, in seconds, without end.

    A visitor never becomes a resident. If the length of the run were one of the stays, every client
    would draw it after a while, and then no client would come or go any more.

    Args:
        number: the number of the client. It decides if the client is a resident or a visitor.
        seconds: the length of the run.
        source: the source of random numbers.
    """
    if number % _RESIDENT_EVERY == 0:
        while True:
            yield seconds
    # Begin as if the run had begun long ago: at any moment, a client is more often in a long stay
    # than in a short one, and somewhere in the middle of it. So the first minute is like any other.
    yield source.uniform(0, source.choices(STAYS, weights=STAYS)[0])
    while True:
        yield source.choice(STAYS)
