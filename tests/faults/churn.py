"""How long clients stay: some for the whole run, the others come and go at the same rate."""

from __future__ import annotations

import random
from collections.abc import Iterator

__all__ = ["STAYS", "stays"]

STAYS = (0.2, 1.0, 5.0, 20.0)
"""Seconds that a visitor may stay: as often the one as the other."""

_RESIDENT_EVERY = 5
"""One in so many clients never leaves: it must get every event of the whole run."""


def stays(number: int, seconds: float, source: random.Random) -> Iterator[float]:
    """Yield how long a client's streams stay, one after the other, for ever.

    No visitor can become a resident: where the length of the run is one of the stays, all clients
    have drawn it after a while, and nobody comes or goes any more.

    Args:
        number: of the client; it says whether the client is a resident or a visitor.
        seconds: that the run takes.
        source: of chance.
    """
    if number % _RESIDENT_EVERY == 0:
        while True:
            yield seconds
    # As if the run had begun long ago: a client is found in a long stay more often than in a short
    # one, and somewhere in the middle of it. So the first minute is like any other.
    yield source.uniform(0, source.choices(STAYS, weights=STAYS)[0])
    while True:
        yield source.choice(STAYS)
