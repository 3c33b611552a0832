"""Encodes events, and remembers the last one: many streams in turn often get the same."""

from __future__ import annotations

from gateway_shim.protocol import event_stream
from gateway_shim.protocol.event_stream import Dialect, Event, Frame

__all__ = ["EncodedEvents"]

_LONGEST_KEPT = 4096
"""The bytes of the longest event that is remembered."""


class EncodedEvents:
    """Encodes events in one dialect.

    A stream that connects gets the version, for example: the same event as the stream before it.

    Args:
        dialect: the way in which named events are written.
    """

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._last: tuple[Event, Frame] | None = None

    def __call__(self, event: Event) -> Frame:
        """Return the bytes of an event. Equal events in a row have the same frame."""
        last = self._last
        if last is not None and last[0] == event:
            return last[1]
        frame = event_stream.frame(event_stream.encode(event, self._dialect))
        self._last = None if len(frame.bare) > _LONGEST_KEPT else (event, frame)
        return frame
