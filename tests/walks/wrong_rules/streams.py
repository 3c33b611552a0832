"""Wrong rules about where streams are, and when they become live.

Each function breaks one rule of the code under test, until the patch is undone.
"""

from __future__ import annotations

from typing import Any

import pytest

from gateway_shim.event_log.cursor import Cursor
from gateway_shim.protocol import event_stream
from gateway_shim.protocol.event_stream import Frame
from gateway_shim.streams.connection import Connection
from gateway_shim.streams.heartbeats import Heartbeats
from gateway_shim.streams.replay.backlog import Backlog
from gateway_shim.streams.replay.delivery import Delivery
from gateway_shim.streams.replay.joiners import Joiners

__all__ = ["RULES"]


# ------------------------------------------------------------------------- heartbeats


def heartbeats_name_the_newest_entry(patch: pytest.MonkeyPatch) -> None:
    """Name the log's newest entry in heartbeats."""

    def heartbeat(self: Delivery, connection: Connection) -> Frame:
        return self._marks.heartbeat(Cursor(self._epoch, self._log.newest))

    patch.setattr(Delivery, "heartbeat", heartbeat)


def heartbeats_name_the_entry_in_delivery(patch: pytest.MonkeyPatch) -> None:
    """Name the entry that is being delivered in heartbeats."""
    _heartbeats_out_of_turn(patch)

    def heartbeat(self: Delivery, connection: Connection) -> Frame:
        position = self.completed if self._pass is None else self._pass.position
        return self._marks.heartbeat(Cursor(self._epoch, position))

    patch.setattr(Delivery, "heartbeat", heartbeat)


def heartbeats_do_not_take_turns(patch: pytest.MonkeyPatch) -> None:
    """Write heartbeats in the middle of a delivery."""
    _heartbeats_out_of_turn(patch)
    heartbeats_name_what_was_completed(patch)


def heartbeats_name_what_was_completed(patch: pytest.MonkeyPatch) -> None:
    """Name what was completed before a delivery that was interrupted, in heartbeats."""

    def heartbeat(self: Delivery, connection: Connection) -> Frame:
        if max(connection.told, self._last_for_everyone) >= self.completed:
            return event_stream.HEARTBEAT
        connection.told = self.completed
        return self._marks.heartbeat(self.cursor)

    patch.setattr(Delivery, "heartbeat", heartbeat)


def heartbeats_have_no_id(patch: pytest.MonkeyPatch) -> None:
    """Write heartbeats without ids, so that the cursor of an idle browser grows old."""
    patch.setattr(Delivery, "heartbeat", lambda self, connection: event_stream.HEARTBEAT)


def _heartbeats_out_of_turn(patch: pytest.MonkeyPatch) -> None:
    make = Heartbeats.__init__

    def init(self: Heartbeats, interval: float, beat: Any, clock: Any, turn: object) -> None:
        make(self, interval, beat, clock, None)

    patch.setattr(Heartbeats, "__init__", init)


# ------------------------------------------------------------------------- joining


def joins_during_a_delivery(patch: pytest.MonkeyPatch) -> None:
    """Let a stream become live while an entry is being delivered."""
    patch.setattr(Delivery, "is_idle", True)


def joins_anywhere(patch: pytest.MonkeyPatch) -> None:
    """Let a stream become live wherever it and its process are."""
    patch.setattr(Delivery, "_join", lambda self, connection: connection.go_live())


def a_stream_that_is_ahead_does_not_wait(patch: pytest.MonkeyPatch) -> None:
    """Let a stream whose cursor is ahead of its process become live at once."""

    def join(self: Delivery, connection: Connection) -> None:
        backlog = connection.backlog
        if isinstance(backlog, Backlog) and self.is_idle and backlog.position >= self.completed:
            connection.go_live()
        else:
            self.joiners.add(connection)

    patch.setattr(Delivery, "_join", join)


def joiners_are_forgotten(patch: pytest.MonkeyPatch) -> None:
    """Forget the streams that wait to become live."""
    patch.setattr(Joiners, "settle", lambda self, completed: None)


# ------------------------------------------------------------------------- deliveries


def an_interrupted_delivery_begins_again(patch: pytest.MonkeyPatch) -> None:
    """Begin a delivery again, if its greenlet was killed."""
    deliver_next = Delivery.deliver_next

    def delivers(self: Delivery) -> bool:
        self._pass = None
        return deliver_next(self)

    patch.setattr(Delivery, "deliver_next", delivers)


def an_interrupted_delivery_is_dropped(patch: pytest.MonkeyPatch) -> None:
    """Count a delivery as completed, if its greenlet was killed."""
    deliver_next = Delivery.deliver_next

    def delivers(self: Delivery) -> bool:
        if self._pass is not None:
            self._complete(self._pass.position)
            self._pass = None
        return deliver_next(self)

    patch.setattr(Delivery, "deliver_next", delivers)


def nobody_goes_on_with_a_delivery(patch: pytest.MonkeyPatch) -> None:
    """Let nobody go on with a delivery, if its greenlet was killed."""
    patch.setattr(Delivery, "published", lambda self: None)


RULES = (
    heartbeats_name_the_newest_entry,
    heartbeats_name_the_entry_in_delivery,
    heartbeats_do_not_take_turns,
    heartbeats_name_what_was_completed,
    heartbeats_have_no_id,
    joins_during_a_delivery,
    joins_anywhere,
    a_stream_that_is_ahead_does_not_wait,
    joiners_are_forgotten,
    an_interrupted_delivery_begins_again,
    an_interrupted_delivery_is_dropped,
    nobody_goes_on_with_a_delivery,
)
"""The wrong rules of this module."""
