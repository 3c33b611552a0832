"""The first event of a stream, which tells the browser its normal reconnection pause. Pure.

A browser keeps the last ``retry:`` that it received until its page is closed. A drain draws a
different pause for each stream, so the first event of the next stream must replace that pause.
"""

from __future__ import annotations

from gateway_shim.protocol import event_stream
from gateway_shim.protocol.event_stream import Frame

__all__ = ["FirstEvent"]


class FirstEvent:
    """Adds ``retry:`` to the first event of each stream. All streams share one object.

    Args:
        retry_ms: the pause, milliseconds.
    """

    def __init__(self, retry_ms: int) -> None:
        self._retry_ms = retry_ms
        # The last frame and its copy with retry. A broadcast may be the first event of thousands
        # of streams: they share one copy.
        self._last: tuple[Frame, Frame] | None = None

    def __call__(self, frame: Frame) -> Frame:
        """Return the same event with ``retry:`` inside its block.

        Args:
            frame: an encoded event; not a comment.

        Raises:
            ValueError: ``frame`` holds no event.
        """
        last = self._last
        if last is None or last[0] is not frame:
            last = frame, event_stream.frame(event_stream.with_retry(frame.bare, self._retry_ms))
            self._last = last
        return last[1]
