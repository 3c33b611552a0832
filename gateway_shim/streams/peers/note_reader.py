"""The seam between the delivery of events and what processes tell each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from gateway_shim.event_log.audience import NOTES
from gateway_shim.event_log.log import Log

__all__ = ["NOTES_AT_ONCE", "NoteReader", "read_notes"]

NOTES_AT_ONCE = 32
"""The notes that are taken in a row. In a storm there are hundreds a second, and rounds of the
event loop are long: with one note in each round, events would wait behind them for seconds."""


class NoteReader(Protocol):
    """The reader of the log's entries that are for this process and not for its streams."""

    def noted(self, data: bytes) -> None:
        """Take a note. Must neither wait nor raise.

        Args:
            data: the bytes of the entry.
        """
        ...

    def notes_missed(self) -> None:
        """Note that entries were lost, and notes may be among them. Must neither wait nor raise."""
        ...


def read_notes(
    log: Log, after: int, reader: NoteReader, completed: Callable[[int], object]
) -> None:
    """Hand over the notes that follow a position, up to the next event, and some at most.

    Args:
        log: the log. If it has a new epoch, nothing is handed over.
        after: the position.
        reader: takes the notes.
        completed: called with the position of each note, after it was taken.
    """
    epoch = log.epoch
    entries = log.read(after, NOTES_AT_ONCE)
    if log.epoch != epoch:
        return
    for entry in entries or ():
        if entry.audience != NOTES:
            break
        reader.noted(bytes(entry.frame))
        completed(entry.position)
