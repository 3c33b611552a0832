"""The file of one segment: frames from the front, records from the end."""

from __future__ import annotations

import mmap
from pathlib import Path

from gateway_shim.errors import LogDamaged
from gateway_shim.event_log.audience import EVERYONE
from gateway_shim.event_log.segment import Segment
from gateway_shim.event_log.segments import files
from gateway_shim.event_log.segments.layout import (
    RECORD_BYTES,
    SEGMENT_HEAD_BYTES,
    RecordKind,
    SegmentHead,
    pack_record,
    pack_segment_head,
    segment_name,
    unpack_record,
    unpack_segment_head,
)
from gateway_shim.event_log.segments.words import seed_of

__all__ = ["SegmentFile"]


class SegmentFile:
    """A mapped segment, and where its next entry goes.

    Make one with :meth:`create` or :meth:`open`.

    Args:
        memory: the mapped file.
        head: the head of the segment.

    Attributes:
        index: the entries that were written or read here so far.
    """

    def __init__(self, memory: mmap.mmap, head: SegmentHead) -> None:
        # The views keep the mapping alive; it is unmapped when nobody holds one any more.
        self._memory = memoryview(memory)
        self._seed = seed_of(head.epoch)
        self._end = head.size
        frames = self._memory[SEGMENT_HEAD_BYTES:]
        self.index = Segment(head.first, frames, head.began, is_shared=True)

    @classmethod
    def create(cls, directory: Path, head: SegmentHead) -> SegmentFile:
        """Make the file of a segment without entries. Call it with the lock held.

        Raises:
            OSError: the file could not be made; nothing is left of it.
        """
        path = directory / segment_name(head.epoch, head.first)
        # A process that was killed before it committed an entry may have left the file. No process
        # has mapped it, because the entry of this position does not exist.
        path.unlink(missing_ok=True)
        memory = files.create_mapped(path, head.size)
        packed = pack_segment_head(head)
        memory[: len(packed)] = packed
        return cls(memory, head)

    @classmethod
    def open(cls, directory: Path, epoch: str, first: int) -> SegmentFile:
        """Open a segment. Its entries are not read yet (:meth:`get`).

        Raises:
            LogDamaged: the segment is missing or damaged.
            LogUnavailable: the file cannot be opened.
        """
        try:
            memory = files.open_mapped(
                directory / segment_name(epoch, first), SEGMENT_HEAD_BYTES + RECORD_BYTES
            )
        except FileNotFoundError as error:
            raise LogDamaged("a segment is missing") from error
        head = unpack_segment_head(memory[:SEGMENT_HEAD_BYTES])
        if (head.epoch, head.first, head.size) != (epoch, first, len(memory)):
            raise LogDamaged("a segment is damaged")
        return cls(memory, head)

    @staticmethod
    def needed_bytes(frame: bytes, audience: bytes) -> int:
        """Return the size of a file that has room for one entry."""
        # The second record is the one that ends the segment.
        return SEGMENT_HEAD_BYTES + len(frame) + len(audience) + 2 * RECORD_BYTES

    def has_room(self, frame: bytes, audience: bytes) -> bool:
        """Return True if an entry fits."""
        return self.needed_bytes(frame, audience) + self.index.size <= self._end

    def put(self, position: int, kind: int, audience: bytes, frame: bytes) -> None:
        """Write the next entry, which :meth:`Head.commit` then makes visible.

        Args:
            position: its position.
            kind: one of :class:`~gateway_shim.event_log.segments.layout.RecordKind`.
            audience: the bytes of the audience's text.
            frame: the event as a chunk. There must be room.
        """
        size = self.index.size
        start = SEGMENT_HEAD_BYTES + size
        self._memory[start : start + len(frame)] = frame
        record = pack_record(self._seed, position, size, kind, audience, frame)
        end = self._end
        self._memory[end - len(record) : end] = record

    def add(self, kind: int, audience: bytes, length: int) -> None:
        """Add the entry that was written or read last to the index."""
        self._end -= RECORD_BYTES + len(audience)
        if kind == RecordKind.EVERYONE:
            self.index.add(length, EVERYONE)
        elif kind == RecordKind.ADDRESSED:
            self.index.add(length, audience.decode("utf-8", "surrogatepass"))
        else:
            self.index.add(length, None)

    def get(self, position: int) -> bool:
        """Read and check the next entry, and add it to the index.

        Args:
            position: its position, which must be committed.

        Returns:
            False if the entry is the first one of the next segment.

        Raises:
            LogDamaged: the entry is not what was written.
        """
        record = unpack_record(self._memory, self._end, self._seed, position, self.index.size)
        if record.kind == RecordKind.END:
            return False
        self.add(*record)
        return True
