"""The pause before a reconnection, which a stream's first event has, and no other event."""

from __future__ import annotations

from collections.abc import Iterator

from tests.walks.checks.expected import FAREWELL, OWN
from tests.walks.checks.wire import Block

__all__ = ["RetryCheck"]


class RetryCheck:
    """Checks the ``retry:`` of the events of one stream.

    Args:
        milliseconds: the pause; None: no event has one.
    """

    def __init__(self, milliseconds: int | None) -> None:
        self._milliseconds = milliseconds
        self._has_event = self._has_retry = False

    def faults(self, block: Block, excused: bool) -> Iterator[str]:
        """Check the next event. A farewell has a pause of its own.

        Args:
            block: the event.
            excused: True if the first event may come without. The field is added when an event is
                encoded, and an event to the token of a stream that is behind is encoded before the
                entries that the stream gets first.

        Yields:
            What is wrong.
        """
        if block.name == FAREWELL:
            return
        is_first, self._has_event = not self._has_event, True
        if block.retry is None:
            if is_first and self._milliseconds is not None and not excused:
                yield "the first event has no retry"
            return
        if self._has_retry or block.retry != self._milliseconds:
            yield f"retry: {block.retry}"
        if not is_first and block.name != OWN:
            yield "retry in a later event"
        self._has_retry = True
