"""Serializes expensive work, with time for other requests in between."""

from __future__ import annotations

from collections import deque

from gevent.event import Event as Signal

from gateway_shim.event_loop.turns import let_others_run
from gateway_shim.streams.opening.owner_counts import OwnerCounts

__all__ = ["Turnstile"]

_TURNS = 4
"""The turns of the event loop between two pieces of work.

An ordinary request takes this many turns from its connect to its answer. It therefore waits for
about one piece of work in total, not for one piece at each of its steps."""

_SHARE = 4
"""The divisor of the places: one owner may take a quarter, so that others find places."""


class Turnstile:
    """A queue before work that blocks the event loop for milliseconds, such as a large answer.

    Without the queue, two thousand requests that arrive in one turn of the loop would all be
    processed in that turn, and no other request would be served meanwhile. Must be used in the
    hub's thread.

    Args:
        places: the maximum number of waiting greenlets.
    """

    def __init__(self, places: int) -> None:
        self._places = places
        self._waiting = OwnerCounts()
        # The waiting greenlets, in order. With a semaphore, the greenlet that releases it could
        # acquire it again before the next one has run.
        self._line: deque[Signal] = deque()

    def wait(self, owner: str) -> bool:
        """Wait for the turn of the calling greenlet, which must then do its work at once.

        Args:
            owner: the owner of the place, such as a client's address; empty: not counted.

        Returns:
            False, without waiting, if too many greenlets wait already.
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
