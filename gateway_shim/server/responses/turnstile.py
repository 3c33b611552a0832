"""Lets costly pieces of work through one at a time, with room for everybody else in between."""

from __future__ import annotations

from collections import deque

from gevent.event import Event as Signal

from gateway_shim.event_loop.turns import let_others_run
from gateway_shim.streams.opening.owner_counts import OwnerCounts

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
        self._waiting = OwnerCounts()
        # Those who wait, in order. A semaphore would be taken again by the one that gives it
        # back, before the next in line has run.
        self._line: deque[Signal] = deque()

    def wait(self, owner: str) -> bool:
        """Wait for one's turn; then do the work at once.

        Args:
            owner: who waits, such as a client's address; empty: nobody's share is counted.

        Returns:
            False, without having waited, if too many wait already.
        """
        share = max(1, self._places // _SHARE)
        if len(self._line) >= self._places or self._waiting.of(owner) >= share:
            return False
        self._waiting.enter(owner)
        place = Signal()
        self._line.append(place)
        try:
            if self._line[0] is not place:
                place.wait()
            for _ in range(_TURNS):
                let_others_run()
        finally:
            self._leave(place, owner)
        return True

    def _leave(self, place: Signal, owner: str) -> None:
        was_first = self._line[0] is place
        self._line.remove(place)
        if was_first and self._line:
            self._line[0].set()
        self._waiting.leave(owner)
