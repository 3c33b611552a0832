"""A log that several servers of one process share, each of which learns of appends when told to.

The order is one list of segments. Each server has a view: it holds the segments that the order has
dropped until it reads, as mapped files do.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Container

from gateway_shim.event_log.cursor import Cursor
from gateway_shim.event_log.limits import LogLimits
from gateway_shim.event_log.log import LogListener, LogStats
from gateway_shim.event_log.parcels import NoParcels
from gateway_shim.event_log.segment import Entry, Run, Segment, entry_bytes
from gateway_shim.event_log.segment_list import SegmentList
from tests.walks.checks.history import History, data_of

__all__ = ["SharedOrder", "SharedView"]


class SharedOrder:
    """The order that all views share.

    Args:
        limits: how much is kept.
        clock: seconds.
        history: gets what is appended. Its epoch is the order's first epoch.
    """

    def __init__(self, limits: LogLimits, clock: Callable[[], float], history: History) -> None:
        self.limits = limits
        self.clock = clock
        self.views: list[SharedView] = []
        self._history = history
        self._names = (f"e{number}" for number in itertools.count(2))
        self._begin(history.epoch)

    def begin_epoch(self) -> None:
        """Begin an epoch: all entries are lost. The views learn of it when they are told."""
        self._begin(next(self._names))
        self._history.begin(self.epoch)
        for view in self.views:
            view.has_news = True

    def _begin(self, epoch: str) -> None:
        self.epoch = epoch
        self.segments: deque[Segment] = deque()
        self._list = SegmentList()
        self._begin_segment(0, 0)
        self._list.newest_segment.add(0, None)

    def append(self, audience: str, event: bytes) -> int:
        """Append an event, and drop what is too old."""
        position = self._list.newest + 1
        self._history.append(audience, data_of(event), position)
        frame = entry_bytes(self.epoch, position, audience, event)
        segment = self._list.newest_segment
        too_old = self.limits.is_full_of_time(self.clock() - segment.began) and segment.size > 0
        if segment.size + len(frame) > len(self._memory) or too_old:
            self._begin_segment(position, len(frame))
            segment = self._list.newest_segment
        self._memory[segment.size : segment.size + len(frame)] = frame
        segment.add(len(frame), audience)
        self.trim()
        for view in self.views:
            view.has_news = True
        return position

    def trim(self) -> None:
        """Drop what is too old, or too much."""
        for segment in self._list.to_trim(self.limits, self.clock()):
            self._list.drop(segment)
            self.segments.popleft()

    def _begin_segment(self, first: int, length: int) -> None:
        self._memory = memoryview(bytearray(max(self.limits.segment_bytes, length)))
        segment = Segment(first, self._memory, self.clock())
        self._list.begin(segment)
        self.segments.append(segment)


class SharedView:
    """One server's view of the order (:class:`~gateway_shim.event_log.log.Log`).

    Args:
        order: the order.
        wait: called before each append; may let others run.

    Attributes:
        parcels: no place for parcels.
        epoch: the epoch that the server knows.
        has_news: True if the server has not been told of the newest change.
    """

    def __init__(self, order: SharedOrder, wait: Callable[[], None]) -> None:
        self._order = order
        self._wait = wait
        self._listener: LogListener | None = None
        self.parcels = NoParcels()
        self.has_news = False
        self._take_epoch()
        order.views.append(self)

    @property
    def oldest(self) -> int:
        """The oldest position that this view can read."""
        return self._list.oldest

    @property
    def newest(self) -> int:
        """The newest position of the epoch that this view knows."""
        self._find_segments()
        return self._list.newest

    @property
    def process(self) -> str:
        """The name of this view."""
        return f"view-{id(self)}"

    def others(self) -> list[str]:
        """Return the names of the other views."""
        return [view.process for view in self._order.views if view is not self]

    def reaches(self, cursor: Cursor) -> bool:
        """Return True if an entry exists or existed (:meth:`Log.reaches`)."""
        return cursor.epoch == self.epoch and cursor.position <= self.newest

    def append(self, audience: str, event: bytes) -> int:
        """Append an event (:meth:`Log.append`)."""
        self._wait()
        self._refresh()
        position = self._order.append(audience, event)
        self._refresh()
        self.tell()
        return position

    def read(self, after: int, limit: int) -> list[Entry] | None:
        """Return entries (:meth:`Log.read`); None in a new epoch."""
        epoch = self.epoch
        self._refresh()
        if self.epoch != epoch:
            return None
        return self._list.read(after, limit)

    def run(
        self, after: int, audiences: Container[str], limit: int, written: int = 0
    ) -> Run | None:
        """Return bytes of entries (:meth:`Log.run`)."""
        self._find_segments()
        return self._list.run(after, audiences, limit, written)

    def bytes_after(self, position: int) -> int:
        """Return the bytes of later entries (:meth:`Log.bytes_after`)."""
        return self._list.bytes_after(position)

    def listen(self, listener: LogListener) -> None:
        """Set the object that is told of changes."""
        self._listener = listener

    def tell(self) -> None:
        """Tell the listener of changes, as a wake-up does."""
        self.has_news = False
        if self._listener is not None:
            self._listener.appended()

    def completed(self, position: int) -> None:
        """Do nothing: nobody waits."""

    def expire(self) -> None:
        """Trim what is too old (:meth:`Log.expire`)."""
        self._order.trim()
        self._refresh()

    def read_stats(self) -> LogStats:
        """Return the extent of the log."""
        return LogStats(self.oldest, self.newest, self._list.size, 0.0, in_memory=True)

    def close(self) -> None:
        """Leave the order."""
        if self in self._order.views:
            self._order.views.remove(self)

    # ------------------------------------------------------------------ private

    def _take_epoch(self) -> None:
        self.epoch = self._order.epoch
        self._mine: deque[Segment] = deque()
        self._list = SegmentList()
        self._find_segments()

    def _find_segments(self) -> None:
        """Note the segments that were begun since the last look."""
        if self.epoch != self._order.epoch:
            return
        last = self._mine[-1].first if self._mine else -1
        for segment in self._order.segments:
            if segment.first > last or not self._mine:
                self._mine.append(segment)
                self._list.begin(segment)

    def _refresh(self) -> None:
        """Note what was begun and dropped since the last look."""
        if self.epoch != self._order.epoch:
            if self._listener is not None:
                self._listener.trimming(self._list.newest)
            self._take_epoch()
            return
        self._find_segments()
        while self._mine[0] is not self._order.segments[0]:
            if self._listener is not None:
                self._listener.trimming(self._mine[0].newest)
            self._list.drop(self._mine.popleft())
