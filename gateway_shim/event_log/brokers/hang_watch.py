"""Tells whether the carrier hangs, as a process sees it that waits for the lock. Pure."""

from __future__ import annotations

__all__ = ["LOOKS", "HangWatch"]

LOOKS = 30
"""The looks in a row, a tenth of a second apart, that must find the same. The carrier may wait for
two seconds: one for its own streams, and one for those of the other processes."""


class HangWatch:
    """The looks of one process.

    It counts looks and not seconds. If the whole machine was stopped, or this process has had no
    processor, the carrier gets its time, too. To take a slow carrier for one that hangs does no
    harm: copying then goes on in another process.
    """

    def __init__(self) -> None:
        self._seen: object = None
        self._looks = 0

    def look(self, file: int, place: tuple[str, int], misses_entries: bool) -> bool:
        """Note what one look has found.

        Args:
            file: the number of the file that the carrier has locked. Another one has its time.
            place: the epoch and the newest position of the copy.
            misses_entries: True if Redis has entries that the copy does not have.

        Returns:
            True if the carrier hangs. Then the count begins anew.
        """
        seen = (file, place) if misses_entries else None
        if seen is None or seen != self._seen:
            self._looks = 0
        self._seen = seen
        self._looks += seen is not None
        if self._looks < LOOKS:
            return False
        self._looks = 0
        return True
