"""Wrong rules about which bytes a stream gets, and whose events.

Each function breaks one rule of the code under test, until the patch is undone.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Any

import pytest

from gateway_shim.event_log.segment import Run
from gateway_shim.protocol.event_stream import Frame
from gateway_shim.protocol.stream import Stream
from gateway_shim.streams.connection import Connection
from gateway_shim.streams.replay.backlog import Backlog
from gateway_shim.streams.replay.delivery import Delivery
from gateway_shim.streams.replay.resumption import Resumption
from gateway_shim.streams.replay.start import Start
from gateway_shim.streams.sending.audiences import Audiences

__all__ = ["RULES"]


class _Everybody(Container[str]):
    """The audiences of a stream that gets the events of all."""

    def __contains__(self, audience: object) -> bool:
        return audience is not None


# ------------------------------------------------------------------------- bytes


def a_trimmed_frame_is_not_copied(patch: pytest.MonkeyPatch) -> None:
    """Lose the rest of a half-written entry when the entry is trimmed."""
    patch.setattr(Backlog, "save_frame", lambda self, through: None)


def a_frame_that_is_trimmed_during_its_delivery_is_not_kept(patch: pytest.MonkeyPatch) -> None:
    """Read the rest of an entry from the log, though the entry was trimmed meanwhile."""
    patch.setattr(Delivery, "has", lambda self, position: True)


def own_bytes_come_first(patch: pytest.MonkeyPatch) -> None:
    """Write what is sent to a token before what the stream has missed."""

    def put(self: Backlog, data: bytes, *, final: bool = False) -> None:
        self._insert(len(self._own or ()), self.position, data)
        self._final |= final

    patch.setattr(Backlog, "put", put)


def held_bytes_come_first(patch: pytest.MonkeyPatch) -> None:
    """Write what was sent while the backend was asked before the replay."""
    opens = Resumption.open

    def open_(
        self: Resumption, connection: Connection, start: Start, head: bytes, then: list[bytes]
    ) -> None:
        opens(self, connection, start, b"".join([head, *then]), [])

    patch.setattr(Resumption, "open", open_)


def a_resync_comes_before_the_head(patch: pytest.MonkeyPatch) -> None:
    """Put a resync before the head, or before the rest of a frame."""
    move = Backlog._move

    def moves(self: Backlog, event: Frame, position: int) -> None:
        self._begun = False
        move(self, event, position)

    patch.setattr(Backlog, "_move", moves)


def partial_writes_are_counted_wrong(patch: pytest.MonkeyPatch) -> None:
    """Lose a byte where the kernel takes a part of an entry."""
    falls = Connection.fall_behind
    patch.setattr(
        Connection,
        "fall_behind",
        lambda self, position, data, sent: falls(self, position, data, sent + 1),
    )


def advances_are_counted_wrong(patch: pytest.MonkeyPatch) -> None:
    """Repeat a byte where the kernel takes a part of a range."""
    advance = Backlog.advance
    patch.setattr(
        Backlog, "advance", lambda self, count: advance(self, count - (self._runs is not None))
    )


def every_event_has_a_retry(patch: pytest.MonkeyPatch) -> None:
    """Repeat the pause of the first event in later events."""

    def event_bytes(self: Stream, frame: Frame) -> bytes:
        if self._first_event is not None:
            frame = self._first_event(frame)
        return self.bytes_of(frame)

    patch.setattr(Stream, "event_bytes", event_bytes)


# ------------------------------------------------------------------------- audiences


def a_replay_is_for_everyone(patch: pytest.MonkeyPatch) -> None:
    """Replay the events of others, too."""

    def run(self: Delivery, after: int, audiences: Any, limit: int, written: int) -> Run | None:
        return self._log.run(after, _Everybody(), limit, written)

    patch.setattr(Delivery, "run", run)


def live_events_are_for_everyone(patch: pytest.MonkeyPatch) -> None:
    """Write a live event to all streams."""
    patch.setattr(
        Audiences,
        "members",
        lambda self, audience: [item for item in self._by_token.values() if item.direct],
    )


RULES = (
    a_trimmed_frame_is_not_copied,
    a_frame_that_is_trimmed_during_its_delivery_is_not_kept,
    own_bytes_come_first,
    held_bytes_come_first,
    a_resync_comes_before_the_head,
    partial_writes_are_counted_wrong,
    advances_are_counted_wrong,
    every_event_has_a_retry,
    a_replay_is_for_everyone,
    live_events_are_for_everyone,
)
"""The wrong rules of this module."""
