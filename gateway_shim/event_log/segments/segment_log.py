"""The log of several processes of one server; it can also outlive the server."""

from __future__ import annotations

import logging
from collections.abc import Callable, Container
from pathlib import Path
from typing import Any

from gevent.hub import get_hub

from gateway_shim.errors import LogDamaged, LogUnavailable
from gateway_shim.event_log.cursor import Cursor
from gateway_shim.event_log.limits import LogLimits
from gateway_shim.event_log.log import LogListener, LogStats
from gateway_shim.event_log.parcels import FileParcels
from gateway_shim.event_log.segment import Entry, Run
from gateway_shim.event_log.segments import files
from gateway_shim.event_log.segments.members import Members
from gateway_shim.event_log.segments.opening import Opening, boot_seconds
from gateway_shim.event_log.segments.writer_lock import WriterLock

__all__ = ["SegmentLog"]

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 0.25
"""The time between two looks at the head: a process may be killed before it wakes the others."""

_READ = 1


class SegmentLog:
    """The log in files that several processes share (:class:`~gateway_shim.event_log.log.Log`).

    Make it after the fork, in each process that serves. It continues the epoch that it finds, or
    begins a new one and logs a warning.

    Args:
        directory: the log's own directory. It is made if it is missing; its parent must exist.
        limits: the bytes and seconds that are kept.
        signature: what the entries depend on, such as the dialect. Entries with another signature
            are not continued.
        clock: seconds, by a clock that all processes share.

    Attributes:
        parcels: the files for what is too large for an entry.

    Raises:
        LogUnavailable: the directory cannot be used; the message says what to do.
    """

    def __init__(
        self,
        directory: Path,
        limits: LogLimits,
        *,
        signature: str,
        clock: Callable[[], float] = boot_seconds,
    ) -> None:
        self._directory = directory
        self._limits = limits
        self._clock = clock
        self._listener: LogListener | None = None
        self._watchers: list[Any] = []
        # The reason why the log must be opened again.
        self._trouble: str | None = None
        # The last problem that was logged: each is met again every quarter of a second.
        self._warned: str | None = None
        files.prepare_directory(directory)
        self._opening = Opening(directory, limits, signature, clock)
        self.parcels = FileParcels(directory)
        self._lock = WriterLock(directory)
        try:
            self._epoch = self._opening.open(self._lock)
            self._members = Members(directory, self._epoch.head)
        except BaseException:
            self._lock.close()
            raise

    @property
    def epoch(self) -> str:
        """The name of the epoch. It changes in :meth:`append`, :meth:`read` and :meth:`expire`."""
        return self._epoch.name

    @property
    def oldest(self) -> int:
        """The position of the oldest entry that this process can still read."""
        return self._epoch.segments.oldest

    @property
    def newest(self) -> int:
        """The position of the newest entry."""
        self._follow()
        return self._epoch.segments.newest

    @property
    def process(self) -> str:
        """The name of this process's mark in the directory of the log."""
        return self._members.name

    def others(self) -> list[str]:
        """Return the names of the other processes (:meth:`Log.others`)."""
        return self._members.others(self._epoch.head)

    def reaches(self, cursor: Cursor) -> bool:
        """Return True if an entry exists or existed (:meth:`Log.reaches`). Does not wait."""
        return cursor.epoch == self.epoch and cursor.position <= self.newest

    def append(self, audience: str, event: bytes) -> int:
        """Append an event (:meth:`Log.append`)."""
        self._members.wait_for_slow(self._epoch.head, lambda: self._epoch.segments.newest)
        if self._must_open_again:
            self._lock.reopen()
        self._lock.acquire()
        try:
            self._follow()
            if self._must_open_again:
                self._open_again()
            position = self._epoch.append(
                audience, event, self._limits, self._clock(), self._trimming
            )
        except FileNotFoundError as error:
            self._trouble = "its files were removed"
            raise files.unavailable(error, self._directory) from error
        except OSError as error:
            # Space that other processes still use is free as soon as they have noticed.
            self._members.wake(self._epoch.head)
            raise files.unavailable(error, self._directory) from error
        finally:
            self._lock.release()
        self._members.wake(self._epoch.head)
        self._drop_trimmed()
        if self._listener is not None:
            self._listener.appended()
        return position

    def read(self, after: int, limit: int) -> list[Entry] | None:
        """Return entries (:meth:`Log.read`).

        Looks for a new epoch first. If there is one, the result is None, because ``after`` is a
        position of the old one.
        """
        self._follow()
        before = self._epoch.name
        if self._must_open_again:
            self._open_again_if_possible()
            if self._epoch.name != before:
                return None
        self._drop_trimmed()
        return self._epoch.segments.read(after, limit)

    def run(
        self, after: int, audiences: Container[str], limit: int, written: int = 0
    ) -> Run | None:
        """Return bytes of entries (:meth:`Log.run`).

        The result is None also if another program has changed the bytes. This is not checked for
        the rest of an entry, and not with a limit of 0: a frame that has begun must be ended.
        """
        if after >= self._epoch.segments.newest:
            self._follow()
        run = self._epoch.segments.run(after, audiences, limit, written)
        if run is None or run.segment is None or not limit or written or run.segment.is_whole(run):
            return run
        self._trouble = "a segment is damaged"
        self._tell()
        return None

    def bytes_after(self, position: int) -> int:
        """Return the bytes of later entries (:meth:`Log.bytes_after`)."""
        return self._epoch.segments.bytes_after(position)

    def listen(self, listener: LogListener) -> None:
        """Set the object that is told of changes. Call it in the thread of the event loop."""
        self._listener = listener
        if not self._watchers:
            self._watch()

    def completed(self, position: int) -> None:
        """Note what this process has delivered (:meth:`Log.completed`)."""
        self._members.completed(position)

    def expire(self) -> None:
        """Trim what is too old (:meth:`Log.expire`)."""
        self._follow()
        self.parcels.sweep()
        if self._must_open_again:
            self._open_again_if_possible()
        now = self._clock()
        if self._epoch.segments.to_trim(self._limits, now) and self._lock.try_to_acquire():
            try:
                self._follow()
                self._epoch.expire(self._limits, now, self._trimming)
            finally:
                self._lock.release()
        self._drop_trimmed()

    def read_stats(self) -> LogStats:
        """Return the extent of the log."""
        segments = self._epoch.segments
        # Without a boot id, a log of an earlier boot can be continued; its clock was another one.
        age = max(self._clock() - segments.oldest_segment.began, 0.0)
        return LogStats(self.oldest, self.newest, segments.size, age, in_memory=False)

    def close(self) -> None:
        """Leave the log. Its files stay."""
        self._listener = None
        self._stop_watching()
        self._members.close(self._epoch.head)
        self._lock.close()

    # ------------------------------------------------------------------------- other processes

    def _watch(self) -> None:
        loop: Any = get_hub().loop
        # ref=False: the watchers alone must not keep the loop, and so the process, alive.
        pipe = loop.io(self._members.descriptor, _READ, ref=False)
        pipe.start(self._woken)
        ends = loop.io(self._members.ends, _READ, ref=False)
        ends.start(self._members.remove_ended)
        timer = loop.timer(_LOOK_SECONDS, _LOOK_SECONDS, ref=False)
        timer.start(self._look_around)
        self._watchers = [pipe, ends, timer]

    def _stop_watching(self) -> None:
        for watcher in self._watchers:
            watcher.stop()
            watcher.close()
        self._watchers = []

    def _woken(self) -> None:
        self._members.drain()
        self._tell()

    def _look_around(self) -> None:
        if not self._epoch.head.is_in_place(self._directory):
            self._trouble = "its files were removed"
        self._tell()

    def _tell(self) -> None:
        if self._listener is not None and (self._epoch.has_news or self._must_open_again):
            self._listener.appended()

    def _trimming(self, through: int) -> None:
        if self._listener is not None:
            self._listener.trimming(through)

    def _follow(self) -> None:
        if not self._epoch.has_news:
            return
        try:
            self._epoch.follow()
        except (LogDamaged, LogUnavailable) as error:
            self._trouble = str(error)

    def _drop_trimmed(self) -> None:
        try:
            self._epoch.drop_trimmed(self._trimming)
        except LogDamaged as error:
            self._trouble = str(error)

    # ------------------------------------------------------------------------- a new epoch

    @property
    def _must_open_again(self) -> bool:
        return self._trouble is not None or self._epoch.head.has_ended

    def _open_again_if_possible(self) -> None:
        """Open the log again, unless another process has the lock. Is tried again at each look."""
        try:
            self._lock.reopen()
            if not self._lock.try_to_acquire():
                return
            try:
                self._open_again()
            finally:
                self._lock.release()
        except LogUnavailable as error:
            if str(error) != self._warned:
                self._warned = str(error)
                logger.warning("the event log cannot be continued", extra={"reason": self._warned})

    def _open_again(self) -> None:
        """Continue the epoch that is in use now, or begin one. Call it with the lock held."""
        epoch = self._opening.open_locked(self._trouble or "the file head is damaged")
        earlier = self._members
        if not earlier.is_in_place:  # first of all: if it fails, all of this is tried again
            self._members = Members(self._directory, epoch.head)
        self._trimming(self._epoch.segments.newest)
        self._trouble, self._epoch = None, epoch
        if earlier is not self._members:
            self._members.take_over(earlier)
            watched = bool(self._watchers)
            self._stop_watching()
            earlier.close(epoch.head)
            if watched:
                self._watch()
        self._members.wake(epoch.head)
