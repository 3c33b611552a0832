"""The notes that wait for their handlers, which run one after the other in the order of the log."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable

from gevent.event import Event as Signal

from gateway_shim.event_loop.turns import let_others_run_if_due
from gateway_shim.streams.peers.note import Note

__all__ = ["MAX_BYTES", "MAX_NOTES", "Inbox"]

logger = logging.getLogger(__name__)

MAX_NOTES = 10_000
"""The notes that may wait."""

MAX_BYTES = 8 * 1024 * 1024
"""The bytes of the notes that may wait."""

_AT_ONCE = 64
"""The notes that are handled before others may run: less than a millisecond of work for connects.
In a storm, every round of the event loop is long, and thousands of notes arrive within a second."""


class Inbox:
    """The notes that wait for their handlers.

    If too many wait, all of them are dropped: after a gap, the rest would be worth nothing. The
    process then has to load its state again.

    Args:
        handle: handles one note; of many that were told together, one after the other. It may
            wait. An exception is logged.
        overflowed: called when notes were dropped.
    """

    def __init__(self, handle: Callable[[Note], None], overflowed: Callable[[], None]) -> None:
        self._handle = handle
        self._overflowed = overflowed
        self._notes: deque[tuple[Note, int]] = deque()
        self._size = 0
        self._wake = Signal()

    def put(self, note: Note, size: int) -> None:
        """Add a note.

        Args:
            note: the note.
            size: the number of its bytes.
        """
        if len(self._notes) >= MAX_NOTES or self._size + size > MAX_BYTES:
            logger.error(
                "the handlers of notes from other processes are too slow; the notes are dropped,"
                " and the state is read again",
                extra={"dropped": len(self._notes) + 1},
            )
            self._notes.clear()
            self._size = 0
            self._overflowed()
            return
        self._notes.append((note, size))
        self._size += size
        self._wake.set()

    def run(self) -> None:
        """Handle the notes without end. Call this in a new greenlet."""
        while True:
            self._wake.wait()
            handled = 0
            while self._notes:
                note, size = self._notes.popleft()
                self._size -= size
                for part in note.parts():
                    self._handle_one(part)
                    handled += 1
                if handled >= _AT_ONCE:
                    let_others_run_if_due()
                    handled = 0
            self._wake.clear()

    def _handle_one(self, note: Note) -> None:
        try:
            self._handle(note)
        except Exception:
            logger.exception(
                "a note from another process was not handled",
                extra={"kind": note.kind, "sender": note.sender},
            )
