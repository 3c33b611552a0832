"""A log in the memory of one process. It ends with the process."""

from __future__ import annotations

import mmap
import secrets
import time
from collections.abc import Callable, Container

from gateway_shim.event_log.cursor import Cursor
from gateway_shim.event_log.limits import LogLimits
from gateway_shim.event_log.log import LogListener, LogStats
from gateway_shim.event_log.parcels import NoParcels
from gateway_shim.event_log.segment import Entry, Run, Segment, entry_bytes
from gateway_shim.event_log.segment_list import SegmentList

__all__ = ["MemoryLog", "new_epoch"]


def new_epoch() -> str:
    """Return a name for an epoch that no other epoch has."""
    return secrets.token_hex(5)


class MemoryLog:
    """The log of one process (:class:`~gateway_shim.event_log.log.Log`).

    Args:
        limits: the bytes and seconds that are kept.
        epoch: the name of the epoch; None: a new one.
        clock: monotonic seconds.

    Attributes:
        parcels: no place: no other process would take them.
    """

    def __init__(
        self,
        limits: LogLimits,
        *,
        epoch: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.epoch = epoch or new_epoch()
        self.parcels = NoParcels()
        self._limits = limits
        self._clock = clock
        self._segments = SegmentList()
        self._listener: LogListener | None = None
        self._memory = self._begin_segment(0, 0)
        self._segments.newest_segment.add(0, None)

    @property
    def oldest(self) -> int:
        """The position of the oldest entry."""
        return self._segments.oldest

    @property
    def newest(self) -> int:
        """The position of the newest entry."""
        return self._segments.newest

    @property
    def process(self) -> str:
        """Empty: no other process can share the log."""
        return ""

    def others(self) -> list[str]:
        """Return no names: there is no other process."""
        return []

    def reaches(self, cursor: Cursor) -> bool:
        """Return True if an entry exists or existed (:meth:`Log.reaches`). Does not wait."""
        return cursor.epoch == self.epoch and cursor.position <= self.newest

    def append(self, audience: str, event: bytes) -> int:
        """Append an event (:meth:`Log.append`). Does not wait."""
        position = self.newest + 1
        frame = entry_bytes(self.epoch, position, audience, event)
        segment = self._segments.newest_segment
        if self._must_begin(segment, len(frame)):
            self._memory = self._begin_segment(position, len(frame))
            segment = self._segments.newest_segment
        start = segment.size
        self._memory[start : start + len(frame)] = frame
        segment.add(len(frame), audience)
        self._trim()
        if self._listener is not None:
            self._listener.appended()
        return position

    def read(self, after: int, limit: int) -> list[Entry] | None:
        """Return entries (:meth:`Log.read`)."""
        return self._segments.read(after, limit)

    def run(
        self, after: int, audiences: Container[str], limit: int, written: int = 0
    ) -> Run | None:
        """Return bytes of entries (:meth:`Log.run`)."""
        return self._segments.run(after, audiences, limit, written)

    def bytes_after(self, position: int) -> int:
        """Return the bytes of later entries (:meth:`Log.bytes_after`)."""
        return self._segments.bytes_after(position)

    def listen(self, listener: LogListener) -> None:
        """Set the object that is told of changes."""
        self._listener = listener

    def completed(self, position: int) -> None:
        """Do nothing: there is no other process."""

    def expire(self) -> None:
        """Trim what is too old (:meth:`Log.expire`)."""
        self._trim()

    def read_stats(self) -> LogStats:
        """Return the extent of the log."""
        age = self._clock() - self._segments.oldest_segment.began
        return LogStats(self.oldest, self.newest, self._segments.size, age, in_memory=True)

    def close(self) -> None:
        """Do nothing: the memory is freed with the object."""

    def _must_begin(self, segment: Segment, length: int) -> bool:
        """Return True if the next entry begins a new segment."""
        if segment.size + length > len(self._memory):
            return True
        return self._limits.is_full_of_time(self._clock() - segment.began) and segment.size > 0

    def _begin_segment(self, first: int, length: int) -> memoryview:
        """Begin a segment; only the pages that are written to take memory."""
        memory = memoryview(mmap.mmap(-1, max(self._limits.segment_bytes, length)))
        self._segments.begin(Segment(first, memory, self._clock()))
        return memory

    def _trim(self) -> None:
        for segment in self._segments.to_trim(self._limits, self._clock()):
            if self._listener is not None:
                self._listener.trimming(segment.newest)
            self._segments.drop(segment)
