"""Tests of the layout of the log's files."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_shim.errors import LogDamaged, LogUnavailable
from gateway_shim.event_log.segments import layout
from gateway_shim.event_log.segments.layout import (
    HEAD_BYTES,
    RECORD_BYTES,
    SEGMENT_HEAD_BYTES,
    WORDS_AT,
    Identity,
    Record,
    RecordKind,
    SegmentHead,
    pack_identity,
    pack_record,
    pack_segment_head,
    segment_name,
    unpack_identity,
    unpack_record,
    unpack_segment_head,
)
from gateway_shim.event_log.segments.words import seed_of

IDENTITY = Identity("abc123", "dialect", "0123-4567")


def head(identity: Identity = IDENTITY) -> bytes:
    """Return a whole file ``head``."""
    return pack_identity(identity).ljust(HEAD_BYTES, b"\0")


def test_identity() -> None:
    """The epoch is read if the signature and the boot are the same."""
    assert unpack_identity(head(), IDENTITY._replace(epoch="")) == "abc123"
    assert len(pack_identity(IDENTITY)) <= WORDS_AT


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        (IDENTITY._replace(signature="x"), "form of the events"),
        (IDENTITY._replace(boot_id="x"), "machine was started again"),
    ],
)
def test_other_identity(wanted: Identity, reason: str) -> None:
    """The reason says what is different."""
    with pytest.raises(LogDamaged, match=reason):
        unpack_identity(head(), wanted)


def test_unknown_boot() -> None:
    """The boot is not checked if the system does not name it."""
    assert unpack_identity(head(), IDENTITY._replace(boot_id="")) == "abc123"
    assert unpack_identity(head(IDENTITY._replace(boot_id="")), IDENTITY) == "abc123"


def test_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    """A newer version's log is refused, whatever else it holds; an older one's is left behind."""
    monkeypatch.setattr(layout, "VERSION", 2)
    newer = head()[:16] + b"?" * 100
    monkeypatch.undo()
    with pytest.raises(LogUnavailable, match=r"layout 2; this program knows 1.*remove"):
        unpack_identity(newer, IDENTITY)
    monkeypatch.setattr(layout, "VERSION", 0)
    older = head()
    monkeypatch.undo()
    with pytest.raises(LogDamaged, match="older version"):
        unpack_identity(older, IDENTITY)


@given(st.integers(0, len(pack_identity(IDENTITY)) - 1), st.integers(1, 255))
def test_changed_head(place: int, change: int) -> None:
    """A byte that has changed is found; it never looks like another version."""
    data = bytearray(head())
    data[place] ^= change
    with pytest.raises(LogDamaged, match="the file head is damaged"):
        unpack_identity(bytes(data), IDENTITY)


@pytest.mark.parametrize("size", [0, 15, 16, 100, HEAD_BYTES - 1])
def test_short_head(size: int) -> None:
    """A head that was cut short, or that has grown, is damaged."""
    for data in (head()[:size], head() + b"\0"):
        with pytest.raises(LogDamaged, match="the file head is damaged"):
            unpack_identity(data, IDENTITY)


def test_segment_head() -> None:
    """The head of a segment is read as it was written."""
    written = SegmentHead("abc", 2**40, 12.5, 4096)
    packed = pack_segment_head(written).ljust(SEGMENT_HEAD_BYTES, b"\0")
    assert len(packed) == SEGMENT_HEAD_BYTES
    assert unpack_segment_head(packed) == written
    for place in range(len(pack_segment_head(written))):
        data = bytearray(packed)
        data[place] ^= 1
        with pytest.raises(LogDamaged):
            unpack_segment_head(bytes(data))
    with pytest.raises(LogDamaged):
        unpack_segment_head(packed[:-1])


def test_names() -> None:
    """The names of segments sort by position, and no other file has such a name."""
    assert segment_name("abc", 7) == "abc-00000000000000000007.segment"
    assert layout.is_segment_name(segment_name("abc", 7))
    assert not any(map(layout.is_segment_name, ["head", "lock", "abc-7.segment", "notes.segment"]))


def memory_with(record: bytes, offset: int, frame: bytes) -> memoryview:
    """Return a segment's memory of 500 bytes with one entry."""
    memory = bytearray(500)
    memory[SEGMENT_HEAD_BYTES + offset :][: len(frame)] = frame
    memory[SEGMENT_HEAD_BYTES + offset : SEGMENT_HEAD_BYTES + offset + len(frame)] = frame
    memory[500 - len(record) :] = record
    return memoryview(memory)


def test_record() -> None:
    """A record is read as it was written, at its place only, and in its epoch only."""
    record = pack_record(1, 9, 20, RecordKind.ADDRESSED, b"r:x", b"frame")
    assert len(record) == RECORD_BYTES + 3
    memory = memory_with(record, 20, b"frame")
    assert unpack_record(memory, 500, 1, 9, 20) == Record(RecordKind.ADDRESSED, b"r:x", 5)
    for end, seed, position, offset in [(500, 2, 9, 20), (500, 1, 8, 20), (500, 1, 9, 21)]:
        with pytest.raises(LogDamaged):
            unpack_record(memory, end, seed, position, offset)
    for end in (0, 20, SEGMENT_HEAD_BYTES + 30, 499):
        with pytest.raises(LogDamaged):
            unpack_record(memory, end, 1, 9, 20)


@given(st.data())
def test_changed_record(data: st.DataObject) -> None:
    """A byte of a frame, an audience or a record that has changed is found."""
    record = pack_record(1, 9, 20, RecordKind.ADDRESSED, b"r:x", b"frame")
    memory = memory_with(record, 20, b"frame")
    start = SEGMENT_HEAD_BYTES + 20
    places = [*range(start, start + 5), *range(500 - len(record), 500)]
    memory[data.draw(st.sampled_from(places))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(LogDamaged):
        unpack_record(memory, 500, 1, 9, 20)


@given(st.binary(min_size=RECORD_BYTES, max_size=300), st.integers(0, 2**48), st.integers(0, 100))
def test_garbage(data: bytes, position: int, offset: int) -> None:
    """Whatever lies in the memory, reading it fails cleanly."""
    with pytest.raises(LogDamaged):
        unpack_record(memoryview(data), len(data), seed_of("abc"), position, offset)
