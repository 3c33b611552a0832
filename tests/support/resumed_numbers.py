"""The record of one client that resumes: its events, and the problems with their numbers."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

from tests.support.http.sse_parser import SSEEvent

__all__ = ["Received", "ResumingClient"]


class Received(NamedTuple):
    """One event as a client received it.

    Args:
        id: the last event id at that time; empty if the server has not sent one.
        name: the event's type.
        data: the event's data.
        stream: the number of the client's connection that carried the event, from 1.
    """

    id: str
    name: str
    data: str
    stream: int


class ResumingClient:
    """The record of one client. A test only reads it.

    Args:
        request_id: the name of the client's streams, the same for all of them.
        number: returns the number of an event that the test has numbered, or None.

    Attributes:
        request_id: the name of the client's streams, the same for all of them.
        received: every event in the order of arrival.
        numbers: the numbers of the numbered events, in the order of arrival.
        resyncs: the reasons of the ``resync`` events.
        is_open: True while the client has a stream.
        opened: the number of streams that were opened.
        ends: how many streams ended in which way. ``cut`` is a cut by the test.
        refused: how many connects were answered with which status; 0 is no answer.
        failure: what no correct server does, as text; None if nothing happened. The client stops.
        last_event_id: the id that the next request sends.
    """

    def __init__(self, request_id: str, number: Callable[[SSEEvent], int | None]) -> None:
        self.request_id = request_id
        self.received: list[Received] = []
        self.numbers: list[int] = []
        self.resyncs: list[str] = []
        self.is_open = False
        self.opened = 0
        self.ends: Counter[str] = Counter()
        self.refused: Counter[int] = Counter()
        self.failure: str | None = None
        self.last_event_id = ""
        self._number = number
        # A gap is allowed only before these indexes of ``numbers``.
        self._resync_places: set[int] = set()

    @property
    def problems(self) -> list[str]:
        """The doubles, the wrong orders, and the gaps without a ``resync``.

        The first number may be any. :meth:`problems_of` also checks the first and the last.
        """
        found = [] if self.failure is None else [self.failure]
        for place, (before, after) in enumerate(pairwise(self.numbers), 1):
            if after <= before:
                found.append(f"{after} after {before}")
            elif after > before + 1 and place not in self._resync_places:
                found.append(f"{before + 1} to {after - 1} are missing")
        return found

    def problems_of(self, first: int, last: int) -> list[str]:
        """Return the problems if the numbers from ``first`` to ``last`` were sent to the client.

        Missing numbers are a problem unless a ``resync`` stands in their place.
        """
        found = self.problems
        if not self.numbers:
            return [*found, *([] if self.resyncs else [f"{first} to {last} are missing"])]
        if self.numbers[0] < first or self.numbers[-1] > last:
            found.append(f"numbers beyond {first} to {last}")
        if self.numbers[0] > first and 0 not in self._resync_places:
            found.append(f"{first} to {self.numbers[0] - 1} are missing")
        if self.numbers[-1] < last and len(self.numbers) not in self._resync_places:
            found.append(f"{self.numbers[-1] + 1} to {last} are missing")
        return found

    def take(self, event: SSEEvent) -> None:
        """Add an event to the record."""
        self.received.append(Received(event.last_event_id, event.type, event.data, self.opened))
        if event.type == "resync":
            self._resync_places.add(len(self.numbers))
            self.resyncs.append(json.loads(event.data)["reason"])
        elif (number := self._number(event)) is not None:
            self.numbers.append(number)
