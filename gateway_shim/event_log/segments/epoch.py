"""One epoch of the log, as one process sees it: the head and the segments."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

from gateway_shim.errors import LogDamaged
from gateway_shim.event_log.audience import EVERYONE
from gateway_shim.event_log.limits import LogLimits
from gateway_shim.event_log.segment import Segment, entry_bytes
from gateway_shim.event_log.segment_list import SegmentList
from gateway_shim.event_log.segments import files
from gateway_shim.event_log.segments.head import Head
from gateway_shim.event_log.segments.layout import (
    Identity,
    RecordKind,
    SegmentHead,
    is_segment_name,
    segment_name,
)
from gateway_shim.event_log.segments.segment_file import SegmentFile

__all__ = ["Epoch"]


class Epoch:
    """The entries of an epoch.

    Make one with :meth:`open` or :meth:`begin`. After an error of :meth:`follow`, open it again.

    Args:
        directory: the log's directory.
        head: its head.
        tail: the segment whose entries are read first.

    Attributes:
        name: the name of the epoch.
        head: the head, which all processes share.
        segments: the entries that this process has read so far.
    """

    def __init__(self, directory: Path, head: Head, tail: SegmentFile) -> None:
        self.name = head.epoch
        self.head = head
        self.segments = SegmentList()
        self._directory = directory
        self._tail = tail
        self._word: int | None = None
        self.segments.begin(tail.index)

    @classmethod
    def open(cls, directory: Path, wanted: Identity) -> Epoch:
        """Open the epoch that is in use, and read all of its entries.

        Without the lock, this may fail because of what another process does at the same time.

        Raises:
            FileNotFoundError: there is none.
            LogDamaged: the epoch cannot be continued.
            LogUnavailable: the log must not be used.
        """
        head = Head.open(directory, wanted)
        oldest = head.oldest
        epoch = cls(directory, head, SegmentFile.open(directory, head.epoch, oldest))
        epoch.follow()
        if epoch.segments.newest < oldest:
            raise LogDamaged("the newest entry is missing")
        return epoch

    @classmethod
    def begin(
        cls, directory: Path, identity: Identity, limits: LogLimits, now: float, first: int = 0
    ) -> Epoch:
        """Begin an epoch in the place of the one that is in use. Call it with the lock held.

        Args:
            directory: the log's directory.
            identity: the name of the new epoch, and what its entries depend on.
            limits: how much the log keeps.
            now: the time, seconds.
            first: the position of the begin entry. A copy of another log begins where its entries
                begin, or goes on after a gap, under the same name.

        Raises:
            OSError: the files could not be made. The other epoch is not changed.
        """
        size = max(limits.segment_bytes, SegmentFile.needed_bytes(b"", b""))
        tail = SegmentFile.create(directory, SegmentHead(identity.epoch, first, now, size))
        tail.put(first, RecordKind.BEGIN, b"", b"")
        try:
            head = Head.begin(directory, identity, first)
        except OSError:
            (directory / segment_name(identity.epoch, first)).unlink(missing_ok=True)
            raise
        epoch = cls(directory, head, tail)
        epoch.follow()
        epoch.remove_strays()
        return epoch

    @property
    def has_news(self) -> bool:
        """True if there may be entries that this process has not read."""
        return self.head.word != self._word

    def follow(self) -> None:
        """Read the entries that were committed since the last call.

        Raises:
            LogDamaged: an entry is damaged, or was removed before it was read.
            LogUnavailable: a segment cannot be opened.
        """
        word = self.head.word
        if word == self._word:
            return
        newest, position = self.head.newest_in(word), self.segments.newest
        if newest < position:
            raise LogDamaged("the file head is damaged")
        while position < newest:
            position += 1
            if not self._tail.get(position):
                tail = SegmentFile.open(self._directory, self.name, position)
                if not tail.get(position):
                    raise LogDamaged("a segment is damaged")
                self._tail = tail
                self.segments.begin(tail.index)
        self._word = word

    def append(
        self,
        audience: str,
        event: bytes,
        limits: LogLimits,
        now: float,
        trimming: Callable[[int], None],
    ) -> int:
        """Append an event. Call it with the lock held, after :meth:`follow`.

        Args:
            audience: to whom the event is addressed.
            event: the event's bytes.
            limits: how much the log keeps.
            now: the time, seconds.
            trimming: as for :meth:`drop_trimmed`.

        Returns:
            The position of the entry.

        Raises:
            OSError: there is no space for another segment.
        """
        position = self.segments.newest + 1
        frame = entry_bytes(self.name, position, audience, event)
        if audience == EVERYONE:
            kind, text = RecordKind.EVERYONE, b""
        else:
            kind, text = RecordKind.ADDRESSED, audience.encode("utf-8", "surrogatepass")
        tail = self._tail
        is_old = limits.is_full_of_time(now - tail.index.began) and tail.index.size > 0
        if is_old or not tail.has_room(frame, text):
            size = max(limits.segment_bytes, SegmentFile.needed_bytes(frame, text))
            self._trim(self.segments.to_trim(limits, now, size), trimming)
            tail = self._begin_segment(SegmentHead(self.name, position, now, size), trimming)
        tail.put(position, kind, text, frame)
        tail.add(kind, text, len(frame))
        self._word = self.head.commit(position)
        return position

    def expire(self, limits: LogLimits, now: float, trimming: Callable[[int], None]) -> None:
        """Remove what is too old. Call it with the lock held, after :meth:`follow`.

        Args:
            limits: how much the log keeps.
            now: the time, seconds.
            trimming: as for :meth:`drop_trimmed`.
        """
        self._trim(self.segments.to_trim(limits, now), trimming)

    def drop_trimmed(self, trimming: Callable[[int], None]) -> None:
        """Forget the segments that a process has removed.

        Args:
            trimming: is called before, with the newest position of each.

        Raises:
            LogDamaged: the head is damaged.
        """
        oldest = self.head.oldest
        while self.segments.oldest < oldest and self.segments.oldest_segment.newest < oldest:
            segment = self.segments.oldest_segment
            if segment is self.segments.newest_segment:
                return  # this process has yet to read the entries that follow
            trimming(segment.newest)
            self.segments.drop(segment)

    def remove_strays(self) -> None:
        """Remove files that are of no use. Call it with the lock held, after :meth:`follow`."""
        Head.remove_unfinished(self._directory)
        kept = {segment_name(self.name, first) for first in self.segments.firsts}
        for name in os.listdir(self._directory):
            if is_segment_name(name) and name not in kept:
                with contextlib.suppress(OSError):
                    (self._directory / name).unlink()

    def _trim(self, gone: list[Segment], trimming: Callable[[int], None]) -> None:
        if not gone:
            return
        # First the word: who opens the log after a crash in between finds no missing segment.
        self.head.oldest = gone[-1].newest + 1
        for segment in gone:
            with contextlib.suppress(OSError):  # a stray, which the next start removes
                (self._directory / segment_name(self.name, segment.first)).unlink()
        self.drop_trimmed(trimming)

    def _begin_segment(self, head: SegmentHead, trimming: Callable[[int], None]) -> SegmentFile:
        """Begin the next segment. If there is no space, remove the oldest ones one by one."""
        while True:
            try:
                tail = SegmentFile.create(self._directory, head)
                break
            except OSError as error:
                oldest = self.segments.oldest_segment
                if not files.is_out_of_space(error) or oldest is self.segments.newest_segment:
                    raise
                self._trim([oldest], trimming)
        # Readers find the new segment by this record, once the entry is committed. If it never is,
        # the next append overwrites the record.
        self._tail.put(head.first, RecordKind.END, b"", b"")
        self._tail = tail
        self.segments.begin(tail.index)
        return tail
