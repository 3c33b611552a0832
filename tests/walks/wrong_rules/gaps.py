"""Wrong rules about cursors, resyncs and epochs.

Each function breaks one rule of the code under test, until the patch is undone.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gateway_shim.event_log.segment import Run
from gateway_shim.protocol import event_stream
from gateway_shim.protocol.event_stream import Frame
from gateway_shim.protocol.stream_request import StreamRequest
from gateway_shim.streams.connection import Connection
from gateway_shim.streams.replay.backlog import Backlog
from gateway_shim.streams.replay.delivery import Delivery
from gateway_shim.streams.replay.resumption import Resumption
from gateway_shim.streams.replay.start import Start, requested_cursor

__all__ = ["RULES"]


# ------------------------------------------------------------------------- cursors


def an_old_cursor_is_accepted(patch: pytest.MonkeyPatch) -> None:
    """Let a stream go on at the oldest entry, if the next one is gone."""
    run = Delivery.run

    def runs(self: Delivery, after: int, audiences: Any, limit: int, written: int) -> Run | None:
        return run(self, max(after, self._log.oldest - 1), audiences, limit, written)

    patch.setattr(Delivery, "run", runs)
    patch.setattr(Resumption, "_resync_of", lambda self, start: None)


def an_unknown_epoch_is_accepted(patch: pytest.MonkeyPatch) -> None:
    """Look only at the position of a cursor."""
    start_of = Resumption.start_of

    def starts(self: Resumption, request: Any) -> Start:
        start = start_of(self, request)
        cursor = requested_cursor(request).cursor
        if cursor is None or not self._log.oldest <= cursor.position <= self._log.newest:
            return start
        return start._replace(position=cursor.position, resync=None)

    patch.setattr(Resumption, "start_of", starts)


def a_future_cursor_is_accepted(patch: pytest.MonkeyPatch) -> None:
    """Let a cursor after the newest entry wait for that entry."""
    start_of = Resumption.start_of

    def starts(self: Resumption, request: Any) -> Start:
        start = start_of(self, request)
        cursor = requested_cursor(request).cursor
        if cursor is None or cursor.epoch != start.epoch:
            return start
        return start._replace(position=cursor.position, resync=None)

    patch.setattr(Resumption, "start_of", starts)


def a_cursor_in_the_query_is_ignored(patch: pytest.MonkeyPatch) -> None:
    """Look for a cursor only in the header."""
    start_of = Resumption.start_of

    def starts(self: Resumption, request: StreamRequest) -> Start:
        return start_of(self, replace(request, url="/events"))

    patch.setattr(Resumption, "start_of", starts)


def a_fresh_stream_starts_late(patch: pytest.MonkeyPatch) -> None:
    """Start a stream without a cursor where the log is when the backend has answered."""
    opens = Resumption.open

    def open_(
        self: Resumption, connection: Connection, start: Start, head: bytes, then: list[bytes]
    ) -> None:
        if not start.is_resumed:
            start = start._replace(position=self._delivery.completed)
        opens(self, connection, start, head, then)

    patch.setattr(Resumption, "open", open_)


def a_stream_does_not_begin_with_its_id(patch: pytest.MonkeyPatch) -> None:
    """Tell a stream without a cursor its place only with the first event."""
    patch.setattr(Delivery, "heartbeat_at", lambda self, position: event_stream.HEARTBEAT)


# ------------------------------------------------------------------------- resync


def a_resync_is_missing(patch: pytest.MonkeyPatch) -> None:
    """Let a stream that cannot go on where it was go on without a resync."""
    patch.setattr(Resumption, "_resync_of", lambda self, start: None)


def a_lagging_stream_is_not_told(patch: pytest.MonkeyPatch) -> None:
    """Let a stream that was too slow go on without a resync."""

    def fall_off(self: Backlog) -> None:
        self.position, self.written = self._log.newest, 0

    patch.setattr(Backlog, "_fall_off", fall_off)


def a_resync_is_told_twice(patch: pytest.MonkeyPatch) -> None:
    """Write each resync twice."""
    resync = Delivery.resync

    def twice(self: Delivery, reason: str) -> Frame:
        frame = resync(self, reason)
        return Frame(2 * frame.bare, 2 * frame.chunked)

    patch.setattr(Delivery, "resync", twice)


def a_resync_does_not_move_the_cursor(patch: pytest.MonkeyPatch) -> None:
    """Let a stream that was too slow go on at the oldest entry, after its resync."""

    def fall_off(self: Backlog) -> None:
        log: Any = self._log
        self._move(log.lagging(), log._log.oldest)

    patch.setattr(Backlog, "_fall_off", fall_off)


def all_are_told_of_a_slow_process(patch: pytest.MonkeyPatch) -> None:
    """Resync all streams of a slow process, also those that have missed nothing."""
    patch.setattr(Delivery, "_skip_trimmed", Delivery._restart)


# ------------------------------------------------------------------------- epochs


def a_new_epoch_is_not_told(patch: pytest.MonkeyPatch) -> None:
    """Let live streams go on in a new epoch without a resync."""

    def restart(self: Delivery) -> None:
        self._pass = None
        self._epoch, self.completed = self._log.epoch, 0

    patch.setattr(Delivery, "_restart", restart)


def nobody_looks_for_a_new_epoch(patch: pytest.MonkeyPatch) -> None:
    """Open a stream in the epoch that its process knows."""
    patch.setattr(Delivery, "look_for_new_epoch", lambda self: None)


def positions_outlive_their_epoch(patch: pytest.MonkeyPatch) -> None:
    """Let a stream read a new epoch from its position in the old one."""

    def run(self: Delivery, after: int, audiences: Any, limit: int, written: int) -> Run | None:
        return self._log.run(after, audiences, limit, written)

    patch.setattr(Delivery, "run", run)
    patch.setattr(Delivery, "newest", property(lambda self: self._log.newest))


def a_new_epoch_is_not_seen_at_a_wake_up(patch: pytest.MonkeyPatch) -> None:
    """Read only if the log's newest entry is already known to be a later one."""

    def appended(self: Delivery) -> None:
        if self._is_behind and not self.publishers:
            self._wake.set()

    patch.setattr(Delivery, "appended", appended)


def what_was_told_outlives_its_epoch(patch: pytest.MonkeyPatch) -> None:
    """Compare a heartbeat's position with one that was told in an earlier epoch."""
    restart = Delivery._restart

    def restarts(self: Delivery) -> None:
        told = {item: item.told for item in self._streams.all()}
        restart(self)
        for connection, position in told.items():
            connection.told = position

    patch.setattr(Delivery, "_restart", restarts)


def a_new_epoch_during_a_connect_is_not_told(patch: pytest.MonkeyPatch) -> None:
    """Forget that a new epoch began while the backend of a stream without a cursor was asked."""
    resync_of = Resumption._resync_of
    patch.setattr(
        Resumption,
        "_resync_of",
        lambda self, start: resync_of(self, start) if start.is_resumed else None,
    )


RULES = (
    an_old_cursor_is_accepted,
    an_unknown_epoch_is_accepted,
    a_future_cursor_is_accepted,
    a_cursor_in_the_query_is_ignored,
    a_fresh_stream_starts_late,
    a_stream_does_not_begin_with_its_id,
    a_resync_is_missing,
    a_lagging_stream_is_not_told,
    a_resync_is_told_twice,
    a_resync_does_not_move_the_cursor,
    all_are_told_of_a_slow_process,
    a_new_epoch_is_not_told,
    nobody_looks_for_a_new_epoch,
    positions_outlive_their_epoch,
    a_new_epoch_is_not_seen_at_a_wake_up,
    what_was_told_outlives_its_epoch,
    a_new_epoch_during_a_connect_is_not_told,
)
"""The wrong rules of this module."""
