"""Lets costly pieces of work through one at a time, with room for everybody else in between."""

from __future__ import annotations

from collections import Counter

from gateway_shim.fair_work import FairWork

__all__ = ["Turnstile"]

_TURNS = 4
"""Turns of the event loop between two pieces: so many an ordinary request takes from its connect
to its answer, so that it waits for about one piece of work, not for one at each of its steps."""

_SHARE = 4
"""One owner may have every fourth place, so that a storm leaves places to others."""


class Turnstile:
    """A turnstile before work that keeps the event loop for milliseconds, such as a large answer.

    Two thousand requests that arrive in one turn of the loop would all be worked on in that turn,
    during which nobody else is served. Used in the hub's thread.

    Args:
        places: how many may wait.
    """

    def __init__(self, places: int) -> None:
        self._places = places
        self._work = FairWork(0, _TURNS)
        self._waiting: Counter[str] = Counter()

    def wait(self, owner: str) -> bool:
        """Wait for one's turn; then do the work at once.

        Args:
            owner: who waits, such as a client's address; empty: nobody's share is counted.

        Returns:
            False, without having waited, if too many wait already.
        """
        share = max(1, self._places // _SHARE) if owner else self._places
        if self._waiting.total() >= self._places or self._waiting[owner] >= share:
            return False
        self._waiting[owner] += 1
        try:
            self._work.pause()
        finally:
            self._waiting[owner] -= 1
            if not self._waiting[owner]:
                del self._waiting[owner]
        return True
