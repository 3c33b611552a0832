"""Wrong rules about the entries that are for processes and not for streams.

Each function breaks one rule of the code under test, until the patch is undone.
"""

from __future__ import annotations

from collections.abc import Container

import pytest

from gateway_shim.event_log.audience import EVERYONE, NOTES
from gateway_shim.event_log.segment import Run
from gateway_shim.streams.peers.peers import Peers
from gateway_shim.streams.replay import delivery
from gateway_shim.streams.replay.delivery import Delivery
from gateway_shim.streams.sending.audiences import Audiences
from tests.walks.machine.server import NotedPeers

__all__ = ["RULES"]


def notes_are_events_for_nobody(patch: pytest.MonkeyPatch) -> None:
    """Deliver notes like events whose audience has no members."""
    patch.setattr(delivery, "NOTES", "nothing")


def notes_are_events_for_everyone(patch: pytest.MonkeyPatch) -> None:
    """Deliver notes to all live streams."""
    patch.setattr(delivery, "NOTES", "nothing")
    members = Audiences.members
    patch.setattr(
        Audiences,
        "members",
        lambda self, audience: members(self, EVERYONE if audience == NOTES else audience),
    )


def streams_that_are_behind_get_notes(patch: pytest.MonkeyPatch) -> None:
    """Send notes to the streams that read the log themselves."""
    run = Delivery.run

    def runs(
        self: Delivery, after: int, audiences: Container[str], limit: int, written: int
    ) -> Run | None:
        return run(self, after, (*audiences, NOTES), limit, written)  # type: ignore[misc]

    patch.setattr(Delivery, "run", runs)


def notes_count_as_for_everyone(patch: pytest.MonkeyPatch) -> None:
    """Take a note for an event that has told all live streams its position."""
    noted = Peers.noted

    def notes(self: Peers, data: bytes) -> None:
        noted(self, data)
        following = self._gateway._following  # type: ignore[attr-defined]
        following._delivery._last_for_everyone = following._delivery.completed + 1

    patch.setattr(Peers, "noted", notes)


def joiners_wait_for_events(patch: pytest.MonkeyPatch) -> None:
    """Let no stream become live after a note."""
    complete = Delivery._complete

    def completes(self: Delivery, position: int) -> None:
        entries = self._log.read(position - 1, 1)
        if entries and entries[0].audience == NOTES:
            self.completed = position
        else:
            complete(self, position)

    patch.setattr(Delivery, "_complete", completes)


def notes_are_lost_unnoticed(patch: pytest.MonkeyPatch) -> None:
    """Say nothing of notes that were trimmed before they were read, or ended with their epoch."""
    patch.setattr(NotedPeers, "notes_missed", lambda self: None)


def notes_are_handled_twice(patch: pytest.MonkeyPatch) -> None:
    """Hand each note on twice."""
    noted = Peers.noted

    def notes(self: Peers, data: bytes) -> None:
        noted(self, data)
        noted(self, data)

    patch.setattr(Peers, "noted", notes)


RULES = (
    notes_are_events_for_nobody,
    notes_are_events_for_everyone,
    streams_that_are_behind_get_notes,
    notes_count_as_for_everyone,
    joiners_wait_for_events,
    notes_are_lost_unnoticed,
    notes_are_handled_twice,
)
