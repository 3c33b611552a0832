"""The entries that were appended to the logs of one server: the truth that streams must tell."""

from __future__ import annotations

from collections.abc import Collection

from gateway_shim.event_log.audience import EVERYONE, NOTES
from gateway_shim.event_log.cursor import Cursor

__all__ = ["History", "data_of"]


def data_of(event: bytes) -> str:
    """Return the data of an encoded event that has one line of data; the whole text of a note."""
    _, field, data = event.partition(b"data: ")
    return (data.removesuffix(b"\n\n") if field else event).decode()


class History:
    """The entries of all epochs.

    Attributes:
        epoch: the current epoch.
    """

    def __init__(self, epoch: str) -> None:
        self._entries: dict[str, list[tuple[str, str]]] = {}
        self.begin(epoch)

    def begin(self, epoch: str) -> None:
        """Begin an epoch, with the entry that marks its beginning."""
        self.epoch = epoch
        self._entries[epoch] = [("", "")]

    def append(self, audience: str, data: str, position: int) -> None:
        """Note an entry of the current epoch."""
        assert position == len(self._entries[self.epoch]), "positions are 0, 1, 2 …"
        self._entries[self.epoch].append((audience, data))

    @property
    def newest(self) -> int:
        """The position of the newest entry of the current epoch."""
        return len(self._entries[self.epoch]) - 1

    @property
    def epochs(self) -> list[str]:
        """All epochs, oldest first."""
        return list(self._entries)

    def has(self, cursor: Cursor) -> bool:
        """Return True if an entry was ever appended at this place."""
        return cursor.position < len(self._entries.get(cursor.epoch, []))

    def data(self, cursor: Cursor) -> str:
        """Return the data of an entry."""
        return self._entries[cursor.epoch][cursor.position][1]

    def is_for(self, cursor: Cursor, audiences: Collection[str]) -> bool:
        """Return True if an entry is addressed to a browser with these audiences."""
        audience = self._entries[cursor.epoch][cursor.position][0]
        return audience == EVERYONE or audience in audiences

    def notes_after(self, cursor: Cursor) -> list[str]:
        """Return the notes of an epoch that follow a position."""
        entries = self._entries[cursor.epoch][cursor.position + 1 :]
        return [data for audience, data in entries if audience == NOTES]

    @property
    def notes(self) -> list[str]:
        """All notes, oldest first."""
        return [note for epoch in self._entries for note in self.notes_after(Cursor(epoch, 0))]

    def between(
        self, epoch: str, after: int, through: int, audiences: Collection[str]
    ) -> list[int]:
        """Return the positions of the entries for a browser, after one position up to another."""
        stop = min(through + 1, len(self._entries.get(epoch, [])))
        return [
            position
            for position in range(max(after + 1, 1), stop)
            if self.is_for(Cursor(epoch, position), audiences)
        ]
