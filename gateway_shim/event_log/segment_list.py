"""The segments of a log, oldest first. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Container

from gateway_shim.event_log.limits import LogLimits
from gateway_shim.event_log.segment import Entry, Run, Segment

__all__ = ["SegmentList"]

_NOTHING = memoryview(b"")


class SegmentList:
    """The segments of a log, oldest first. Begin one before anything else is called.

    Each segment goes on where the one before it ends. The newest entry is never dropped.
    """

    def __init__(self) -> None:
        self._segments: deque[Segment] = deque()

    @property
    def oldest_segment(self) -> Segment:
        """The segment of the oldest entry."""
        return self._segments[0]

    @property
    def newest_segment(self) -> Segment:
        """The segment that entries are added to."""
        return self._segments[-1]

    @property
    def oldest(self) -> int:
        """The position of the oldest entry."""
        return self._segments[0].first

    @property
    def newest(self) -> int:
        """The position of the newest entry."""
        return self._segments[-1].newest

    @property
    def size(self) -> int:
        """The bytes of all entries."""
        return sum(segment.size for segment in self._segments)

    @property
    def firsts(self) -> list[int]:
        """The positions of the segments' first entries."""
        return [segment.first for segment in self._segments]

    def begin(self, segment: Segment) -> None:
        """Add a segment whose first entry follows the newest one."""
        self._segments.append(segment)

    def to_trim(self, limits: LogLimits, now: float, room: int = 0) -> list[Segment]:
        """Return the segments that must go, oldest first.

        Args:
            limits: how much the log keeps.
            now: the time by the clock of the segments' ``began``.
            room: the bytes of a segment that is about to be begun.
        """
        kept, gone = list(self._segments), []
        size = sum(segment.capacity for segment in kept) + room
        while len(kept) > 1 and kept[-1].newest >= kept[-1].first:
            # A segment's entries are all older than the beginning of the next segment.
            too_old = limits.seconds is not None and now - kept[1].began > limits.seconds
            if size <= limits.size and not too_old:
                break
            size -= kept[0].capacity
            gone.append(kept.pop(0))
        return gone

    def drop(self, segment: Segment) -> None:
        """Remove the oldest segment."""
        if self._segments[0] is segment:
            self._segments.popleft()

    def read(self, after: int, limit: int) -> list[Entry] | None:
        """Return entries that follow a position (:meth:`Log.read`)."""
        if after < self.oldest - 1:
            return None
        last = min(after + limit, self.newest)
        entries: list[Entry] = []
        while after < last:
            segment = self._segment_of(after + 1)
            stop = min(segment.newest, last)
            entries += [segment.entry(position) for position in range(after + 1, stop + 1)]
            after = stop
        return entries

    def run(self, after: int, audiences: Container[str], limit: int, written: int) -> Run | None:
        """Return bytes of entries that follow a position (:meth:`Log.run`)."""
        if after < self.oldest - 1:
            return None
        if after >= self.newest:
            return Run(_NOTHING, after)
        return self._segment_of(after + 1).run(after, audiences, limit, written)

    def bytes_after(self, position: int) -> int:
        """Return the bytes of the entries that follow a position (:meth:`Log.bytes_after`)."""
        size = 0
        for segment in reversed(self._segments):
            if segment.newest <= position:
                break
            size += segment.size
            if segment.first <= position + 1:
                size -= segment.start_of(position + 1)
        return size

    def _segment_of(self, position: int) -> Segment:
        """Return the segment of an entry that exists. Most are in the newest one."""
        return next(item for item in reversed(self._segments) if item.first <= position)
