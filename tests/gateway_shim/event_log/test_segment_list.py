"""Tests of the list of segments."""

from __future__ import annotations

from gateway_shim.event_log.audience import EVERYONE
from gateway_shim.event_log.limits import LogLimits
from gateway_shim.event_log.segment import Segment
from gateway_shim.event_log.segment_list import SegmentList


def segments(*lengths: int, entries: int = 2, began: float = 0.0) -> SegmentList:
    """Return a list of segments, each with two entries, begun one second after another."""
    made = SegmentList()
    for number, length in enumerate(lengths):
        memory = memoryview(bytes([65 + number]) * length)
        segment = Segment(number * entries, memory, began + number)
        made.begin(segment)
        for _ in range(entries):
            segment.add(length // entries, EVERYONE)
    return made


def test_extent() -> None:
    """A list goes from the first segment's first entry to the last one's newest."""
    made = segments(4, 6, 8)
    assert (made.oldest, made.newest, made.size) == (0, 5, 18)
    assert made.firsts == [0, 2, 4]
    assert made.oldest_segment.first == 0
    assert made.newest_segment.first == 4


def test_read_over_segments() -> None:
    """Entries are read across the borders of segments, as many as are wanted."""
    made = segments(4, 4, 4)
    read = made.read(0, 4)
    assert read is not None
    assert [(entry.position, bytes(entry.frame)) for entry in read] == [
        (1, b"AA"),
        (2, b"BB"),
        (3, b"BB"),
        (4, b"CC"),
    ]
    assert made.read(5, 10) == []


def test_run_ends_with_the_segment() -> None:
    """A run has the bytes of one segment; the next run goes on in the next segment."""
    made = segments(4, 4)
    first = made.run(-1, (), 100, 0)
    assert first is not None
    assert (bytes(first.data), first.end) == (b"AAAA", 1)
    second = made.run(first.end, (), 100, 0)
    assert second is not None
    assert (bytes(second.data), second.end) == (b"BBBB", 3)
    end = made.run(3, (), 100, 0)
    assert end is not None
    assert (bytes(end.data), end.end, end.place(0)) == (b"", 3, (3, 0))


def test_bytes_after() -> None:
    """The bytes after a position are those of all later entries that exist."""
    made = segments(4, 6, 8)
    assert [made.bytes_after(position) for position in range(-1, 7)] == [
        *(18, 16, 14, 11, 8, 4, 0, 0)
    ]
    made.drop(made.oldest_segment)
    assert made.bytes_after(0) == made.size == 14


def test_drop() -> None:
    """Dropped entries cannot be read; the entry before the oldest one is still a place."""
    made = segments(4, 4)
    made.drop(made.newest_segment)
    assert made.oldest == 0
    made.drop(made.oldest_segment)
    assert made.oldest == 2
    assert made.read(0, 9) is None
    assert made.run(0, (), 9, 0) is None
    assert len(made.read(1, 9) or []) == 2


def test_trim_by_size() -> None:
    """The oldest segments go, until the rest and the room that is needed fit."""
    made = segments(10, 10, 10)
    assert made.to_trim(LogLimits(size=30), 0) == []
    assert made.to_trim(LogLimits(size=29), 0) == [made.oldest_segment]
    assert [one.first for one in made.to_trim(LogLimits(size=30), 0, 11)] == [0, 2]


def test_trim_by_time() -> None:
    """A segment goes when its newest entry is too old: when the next one was begun long ago."""
    made = segments(10, 10, 10, began=100.0)
    assert made.to_trim(LogLimits(seconds=5), 106.0) == []
    assert [one.first for one in made.to_trim(LogLimits(seconds=5), 106.1)] == [0]
    assert [one.first for one in made.to_trim(LogLimits(seconds=5), 1e9)] == [0, 2]


def test_the_newest_entry_stays() -> None:
    """The newest segment is kept, and the one before it while the newest has no entry."""
    made = segments(10, 10)
    made.begin(Segment(4, memoryview(b""), 50.0))
    assert made.to_trim(LogLimits(size=1, seconds=1), 1e9) == []
    made.newest_segment.add(0, None)
    assert [one.first for one in made.to_trim(LogLimits(size=1), 0.0)] == [0, 2]
