"""Tests of the file of one segment."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway_shim.errors import LogDamaged
from gateway_shim.event_log.audience import EVERYONE
from gateway_shim.event_log.segments.layout import RecordKind, SegmentHead, segment_name
from gateway_shim.event_log.segments.segment_file import SegmentFile

HEAD = SegmentHead("abc", 7, 1.5, 400)


def put(file: SegmentFile, position: int, frame: bytes, audience: bytes = b"") -> None:
    """Append an entry."""
    kind = RecordKind.ADDRESSED if audience else RecordKind.EVERYONE
    file.put(position, kind, audience, frame)
    file.add(kind, audience, len(frame))


def test_entries(tmp_path: Path) -> None:
    """Another process reads what one has written, with the time of the beginning."""
    file = SegmentFile.create(tmp_path, HEAD)
    put(file, 7, b"one")
    put(file, 8, b"twotwo", b"r:x")
    other = SegmentFile.open(tmp_path, "abc", 7)
    assert other.index.newest == 6
    assert other.get(7)
    assert other.get(8)
    assert other.index.began == 1.5
    for index in (file.index, other.index):
        entries = [index.entry(position) for position in (7, 8)]
        assert [(one.audience, bytes(one.frame)) for one in entries] == [
            (EVERYONE, b"one"),
            ("r:x", b"twotwo"),
        ]
    put(file, 9, b"three")
    assert other.get(9)


def test_not_written(tmp_path: Path) -> None:
    """An entry that was not written cannot be read."""
    SegmentFile.create(tmp_path, HEAD)
    with pytest.raises(LogDamaged):
        SegmentFile.open(tmp_path, "abc", 7).get(7)


def test_end(tmp_path: Path) -> None:
    """The end of a segment is written behind the last entry; an entry may take its place."""
    file = SegmentFile.create(tmp_path, HEAD)
    put(file, 7, b"one")
    file.put(8, RecordKind.END, b"", b"")
    other = SegmentFile.open(tmp_path, "abc", 7)
    assert other.get(7)
    assert not other.get(8)
    put(file, 8, b"two")
    assert other.get(8)


def test_room(tmp_path: Path) -> None:
    """Entries are written until there is no room; there is always room for the end."""
    file = SegmentFile.create(tmp_path, HEAD)
    position = 7
    while file.has_room(b"x" * 10, b"r:x"):
        put(file, position, b"x" * 10, b"r:x")
        position += 1
    assert position == 7 + (400 - 64 - 24) // (10 + 3 + 24)
    file.put(position, RecordKind.END, b"", b"")
    other = SegmentFile.open(tmp_path, "abc", 7)
    assert all(other.get(number) for number in range(7, position))
    assert not other.get(position)


def test_exact_room(tmp_path: Path) -> None:
    """A file of the size that an entry needs has room for it, and for nothing more."""
    size = SegmentFile.needed_bytes(b"x" * 100, b"r:x")
    file = SegmentFile.create(tmp_path, HEAD._replace(size=size))
    assert not file.has_room(b"x" * 101, b"r:x")
    assert file.has_room(b"x" * 100, b"r:x")
    put(file, 7, b"x" * 100, b"r:x")
    assert not file.has_room(b"", b"")
    assert SegmentFile.open(tmp_path, "abc", 7).get(7)


def test_leftover(tmp_path: Path) -> None:
    """The file of a process that was killed is replaced, not written over."""
    left = SegmentFile.create(tmp_path, HEAD)
    put(left, 7, b"left")
    put(SegmentFile.create(tmp_path, HEAD), 7, b"new")
    other = SegmentFile.open(tmp_path, "abc", 7)
    assert other.get(7)
    assert bytes(other.index.entry(7).frame) == b"new"
    assert bytes(left.index.entry(7).frame) == b"left"


def test_wrong_files(tmp_path: Path) -> None:
    """A missing, a renamed, a cut and a longer file are damaged."""
    with pytest.raises(LogDamaged, match="missing"):
        SegmentFile.open(tmp_path, "abc", 7)
    SegmentFile.create(tmp_path, HEAD)
    data = (tmp_path / segment_name("abc", 7)).read_bytes()
    for name, content in [
        (segment_name("abd", 7), data),
        (segment_name("abc", 8), data),
        (segment_name("abc", 7), data[:-1]),
        (segment_name("abc", 7), data + b"\0"),
        (segment_name("abc", 7), data[:30]),
    ]:
        (tmp_path / name).write_bytes(content)
        epoch, _, rest = name.partition("-")
        with pytest.raises(LogDamaged):
            SegmentFile.open(tmp_path, epoch, int(rest[:20]))
