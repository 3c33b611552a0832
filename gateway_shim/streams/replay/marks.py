"""The marks of a stream's place: heartbeats with a cursor, and the event ``resync``. Pure.

Source: WHATWG HTML, "Server-sent events", "Interpreting an event stream": a block without data
moves the last event id and dispatches nothing.
"""

from __future__ import annotations

from enum import StrEnum

from gateway_shim.event_log.cursor import Cursor
from gateway_shim.protocol import event_stream
from gateway_shim.protocol.event_stream import Dialect, Event, Frame

__all__ = ["RESYNC_EVENT", "Marks", "Resync"]

RESYNC_EVENT = "resync"
"""The name of the event that tells a page that it has missed events, and must load its state."""


class Resync(StrEnum):
    """The reason why a stream could not go on where it was."""

    TOO_OLD = "too_old"
    """The entries that follow the browser's cursor were trimmed."""
    UNKNOWN = "unknown"
    """The cursor is not one of this log, or a new epoch of the log has begun."""
    LAGGING = "lagging"
    """The entries that an open stream would get next were trimmed: its client reads too slowly."""


class Marks:
    """Makes heartbeats and resyncs, each once for all streams at the same position.

    Args:
        dialect: the way in which named events are written.
    """

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._heartbeat: tuple[Cursor, Frame] | None = None
        self._resync: tuple[Cursor, str, Frame] | None = None

    def heartbeat(self, cursor: Cursor) -> Frame:
        """Return a heartbeat that tells a cursor."""
        last = self._heartbeat
        if last is None or last[0] != cursor:
            text = b": heartbeat\nid: %b\n\n" % str(cursor).encode()
            last = self._heartbeat = cursor, event_stream.frame(text)
        return last[1]

    def resync(self, reason: str, cursor: Cursor) -> Frame:
        """Return the event ``resync``.

        Args:
            reason: a :class:`Resync`.
            cursor: where the stream goes on.
        """
        last = self._resync
        if last is None or last[:2] != (cursor, reason):
            event = Event(RESYNC_EVENT, f'{{"reason":"{reason}"}}')
            text = event_stream.encode(event, self._dialect)
            frame = event_stream.frame(b"id: %b\n%b" % (str(cursor).encode(), text))
            last = self._resync = cursor, reason, frame
        return last[2]
