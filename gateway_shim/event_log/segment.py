"""A segment: consecutive entries of the log, whose bytes lie one after the other. Pure.

The bytes of an event are its frame: one chunk of a chunked body with the event's ``id:`` inside. So
a stream that is behind is sent many entries by one call of the kernel, straight from the segment.

A segment knows its entries by where they start. Only entries that are not for everyone are listed
with their audience, and neighbors with the same one only once. So finding what one stream gets next
costs three binary searches, however many entries it has missed, and however many notes lie between
them.
"""

from __future__ import annotations

from array import array
from binascii import crc32
from bisect import bisect_left, bisect_right
from collections.abc import Container
from typing import NamedTuple

from gateway_shim.event_log.audience import EVERYONE, NOTES
from gateway_shim.protocol import event_stream

__all__ = ["Entry", "Run", "Segment", "entry_bytes", "identified_frame"]

_LOOKED_AT = 1024
"""The stretches for others that one call passes over at most, so that it takes bounded time."""


def identified_frame(epoch: str, position: int, event: bytes) -> bytes:
    """Return an event as a chunk that holds the event with its ``id:``.

    Args:
        epoch: the log's epoch.
        position: the position of the event's entry.
        event: the event's bytes, as ``event_stream.encode`` returns them.
    """
    return event_stream.frame(b"id: %b-%d\n%b" % (epoch.encode(), position, event)).chunked


def entry_bytes(epoch: str, position: int, audience: str, event: bytes) -> bytes:
    """Return the bytes that the log keeps of an entry: a frame, or a note as it is.

    Args:
        epoch: the log's epoch.
        position: the position of the entry.
        audience: to whom it is addressed.
        event: the bytes of the event or of the note.
    """
    if audience == NOTES:
        return event
    return identified_frame(epoch, position, event)


class Entry(NamedTuple):
    """One entry of the log.

    Args:
        position: the position.
        audience: to whom it is addressed; None for an entry that is no event.
        frame: the event as a chunk; the bytes of a note; empty for the begin entry.
    """

    position: int
    audience: str | None
    frame: memoryview


class Run(NamedTuple):
    """Bytes of consecutive entries that one stream gets.

    Args:
        data: the bytes to write. May be empty although ``end`` is later: entries for others.
        end: the position at which the stream is once the bytes are written.
        segment: the segment of the entries; None if there is no newer entry.
        start: where the bytes start in the segment.
    """

    data: memoryview
    end: int
    segment: Segment | None = None
    start: int = 0

    def place(self, sent: int) -> tuple[int, int]:
        """Return where a stream is after some of the bytes.

        Args:
            sent: the number of bytes that were written.

        Returns:
            The position of the last entry that is done, and the bytes that were written of the
            entry after it.
        """
        if sent == len(self.data) or self.segment is None:
            return self.end, 0
        return self.segment.place(self.start + sent)

    def until(self, position: int) -> Run:
        """Return the part of this run that ends at a position, or the run if it ends before."""
        if self.end <= position or self.segment is None:
            return self if self.end <= position else self._replace(end=position)
        stop = self.segment.start_of(position + 1)
        return self._replace(data=self.data[: max(stop - self.start, 0)], end=position)


class Segment:
    """The index of a segment.

    Args:
        first: the position of its first entry.
        data: the segment's memory. The entries' bytes lie at its beginning.
        began: when the segment was begun, seconds by a clock that all processes share.
        is_shared: True if other programs could change the memory, so :meth:`is_whole` must know.

    Attributes:
        first: the position of its first entry.
        size: the bytes of all its entries.
        began: when the segment was begun.
    """

    __slots__ = (
        "_audiences",
        "_data",
        "_ends",
        "_special",
        "_starts",
        "_sums",
        "began",
        "first",
        "size",
    )

    def __init__(
        self, first: int, data: memoryview, began: float, *, is_shared: bool = False
    ) -> None:
        self.first = first
        self.began = began
        self.size = 0
        self._data = data
        # Where each entry starts.
        self._starts = array("L")
        # The checksum of all bytes before each entry, and of all bytes.
        self._sums = array("I", [0]) if is_shared else None
        # The stretches of entries, counted from 0, that are not for everyone: the first entry of
        # each, the one after its last, and the audience.
        self._special: list[int] = []
        self._ends = array("L")
        self._audiences: list[str | None] = []

    @property
    def capacity(self) -> int:
        """The bytes of the segment's memory."""
        return len(self._data)

    @property
    def newest(self) -> int:
        """The position of the newest entry; ``first - 1`` if there is none."""
        return self.first + len(self._starts) - 1

    def add(self, length: int, audience: str | None) -> None:
        """Add an entry whose bytes follow those of the entry before it.

        Args:
            length: the number of its bytes.
            audience: to whom it is addressed; None for an entry that is no event.
        """
        if self._sums is not None:
            self._sums.append(crc32(self._data[self.size : self.size + length], self._sums[-1]))
        index = len(self._starts)
        if audience != EVERYONE:
            if self._ends and self._ends[-1] == index and self._audiences[-1] == audience:
                self._ends[-1] = index + 1
            else:
                self._special.append(index)
                self._ends.append(index + 1)
                self._audiences.append(audience)
        self._starts.append(self.size)
        self.size += length

    def entry(self, position: int) -> Entry:
        """Return an entry of this segment."""
        index = position - self.first
        at = bisect_right(self._special, index) - 1
        audience = self._audiences[at] if at >= 0 and index < self._ends[at] else EVERYONE
        return Entry(position, audience, self._data[self._starts[index] : self._stop(index)])

    def run(self, after: int, audiences: Container[str], limit: int, written: int) -> Run:
        """Return what a stream gets next of this segment (:meth:`Log.run`).

        Args:
            after: a position from ``first - 1`` to ``newest - 1``.
            audiences: the stream's audiences.
            limit: the bytes that are wanted.
            written: the bytes of the next entry that the stream has got already.
        """
        special, count = self._special, len(self._starts)
        index = after + 1 - self.first
        at = bisect_right(special, index) - 1
        if at < 0 or self._ends[at] <= index:
            at += 1
        last_look = at + _LOOKED_AT
        while at < len(special) and special[at] <= index and self._audiences[at] not in audiences:
            index, at = self._ends[at], at + 1
            if at == last_look:
                return Run(self._data[:0], self.first + index - 1)
        if index == count:
            return Run(self._data[:0], self.newest)
        start = self._starts[index] + written
        # The entries that fit, and at least one.
        stop = max(bisect_right(self._starts, start + limit) - 1, index + 1)
        if stop == count - 1 and self.size <= start + limit:
            stop = count
        while at < len(special) and special[at] < stop:
            if self._audiences[at] not in audiences or at == last_look:
                stop = special[at]
                break
            at += 1
        return Run(self._data[start : self._stop(stop - 1)], self.first + stop - 1, self, start)

    def is_whole(self, run: Run) -> bool:
        """Return False if the bytes of a run, which begins with an entry, have been changed."""
        if self._sums is None:
            return True
        first = bisect_left(self._starts, run.start)
        last = bisect_left(self._starts, run.start + len(run.data))
        return crc32(run.data, self._sums[first]) == self._sums[last]

    def start_of(self, position: int) -> int:
        """Return the offset at which an entry of this segment starts."""
        return self._starts[position - self.first]

    def place(self, offset: int) -> tuple[int, int]:
        """Return the position of the last entry before an offset, and the bytes after its end."""
        index = bisect_right(self._starts, offset) - 1
        return self.first + index - 1, offset - self._starts[index]

    def _stop(self, index: int) -> int:
        return self._starts[index + 1] if index + 1 < len(self._starts) else self.size
