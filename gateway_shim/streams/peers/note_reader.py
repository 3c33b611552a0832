"""The seam between the delivery of events and what processes tell each other."""

from __future__ import annotations

from typing import Protocol

__all__ = ["NoteReader"]


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
