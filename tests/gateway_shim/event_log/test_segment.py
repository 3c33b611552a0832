"""Tests of the index of a segment, among others against a model without any index."""

from __future__ import annotations

from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway_shim.event_log import segment as module
from gateway_shim.event_log.audience import EVERYONE, NOTES
from gateway_shim.event_log.segment import Entry, Run, Segment, identified_frame

FIRST = 5

Entries = list[tuple[str | None, bytes]]


def segment_of(entries: Entries) -> Segment:
    """Return a segment with entries from position FIRST on."""
    made = Segment(FIRST, memoryview(b"".join(frame for _, frame in entries)), 0.0)
    for audience, frame in entries:
        made.add(len(frame), audience)
    return made


def test_frame() -> None:
    """The frame of an event is one chunk, with the id inside."""
    frame = identified_frame("ab", 12, b"event: x\ndata: 1\n\n")
    assert frame == b"1c\r\nid: ab-12\nevent: x\ndata: 1\n\n\r\n"


def test_entries() -> None:
    """An entry has its position, its audience and its bytes."""
    made = segment_of([(None, b""), (EVERYONE, b"one"), ("r:a", b"two")])
    assert made.entry(5) == Entry(5, None, memoryview(b""))
    assert made.entry(6) == Entry(6, EVERYONE, memoryview(b"one"))
    assert made.entry(7) == Entry(7, "r:a", memoryview(b"two"))
    assert (made.newest, made.size, made.capacity) == (7, 6, 6)


def test_empty() -> None:
    """A segment without entries ends before its first position."""
    assert segment_of([]).newest == FIRST - 1


def run(made: Segment, after: int, audiences: set[str], limit: int, written: int = 0) -> Run:
    """Return a run of a segment."""
    return made.run(after, audiences, limit, written)


def test_run() -> None:
    """A run is consecutive entries of a stream's, and no more bytes than are wanted."""
    made = segment_of([(EVERYONE, b"aa"), (EVERYONE, b"bb"), ("r:x", b"cc"), (EVERYONE, b"dd")])
    assert bytes(run(made, 4, set(), 100).data) == b"aabb"
    assert run(made, 4, set(), 100).end == 6
    assert bytes(run(made, 4, {"r:x"}, 100).data) == b"aabbccdd"
    assert bytes(run(made, 4, {"r:x"}, 5).data) == b"aabb"
    assert bytes(run(made, 4, set(), 1).data) == b"aa"
    assert bytes(run(made, 6, set(), 100).data) == b"dd"
    assert bytes(run(made, 4, set(), 100, written=1).data) == b"abb"


def test_run_passes_over_a_bounded_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """One call passes over a bounded number of stretches for others; the next call goes on."""
    monkeypatch.setattr(module, "_LOOKED_AT", 10)
    made = segment_of([("r:x", b"x"), ("r:z", b"z")] * 12 + [("r:x", b"x"), (EVERYONE, b"y")])
    ends, after = [], FIRST - 1
    while after < made.newest:
        found = run(made, after, set(), 100)
        after = found.end
        ends.append((after, bytes(found.data)))
    assert ends == [(14, b""), (24, b""), (30, b"y")]


def test_a_stretch_is_passed_over_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many notes between two events cost a stream one step, from wherever it begins."""
    monkeypatch.setattr(module, "_LOOKED_AT", 2)
    made = segment_of([(EVERYONE, b"x"), *[(NOTES, b"n")] * 50, (EVERYONE, b"y")])
    for after in range(FIRST, made.newest):
        found = run(made, after, set(), 100)
        assert (bytes(found.data), found.end) == (b"y", made.newest)
    assert [made.entry(position).audience for position in (5, 6, 55, 56)] == [
        EVERYONE,
        NOTES,
        NOTES,
        EVERYONE,
    ]


def test_place() -> None:
    """After a part of a run, a stream is within the entry that was begun, or between two."""
    made = segment_of([(EVERYONE, b"aa"), (EVERYONE, b"bbb"), (EVERYONE, b"c")])
    found = run(made, 4, set(), 100)
    places = [found.place(sent) for sent in range(7)]
    assert places == [(4, 0), (4, 1), (5, 0), (5, 1), (5, 2), (6, 0), (7, 0)]
    assert run(made, 4, set(), 100, written=1).place(2) == (5, 1)
    assert Run(memoryview(b""), 9).place(0) == (9, 0)


def test_until() -> None:
    """A run can be cut at a position."""
    made = segment_of([(EVERYONE, b"aa"), (EVERYONE, b"bbb"), (EVERYONE, b"c")])
    assert made.start_of(7) == 5
    found = run(made, 4, set(), 100)
    cut = [found.until(position) for position in (4, 5, 6, 7, 8)]
    assert [bytes(one.data) for one in cut] == [b"", b"aa", b"aabbb", b"aabbbc", b"aabbbc"]
    assert [one.end for one in cut] == [4, 5, 6, 7, 7]
    begun = run(made, 4, set(), 100, written=1)
    assert bytes(begun.until(5).data) == b"a"
    assert Run(memoryview(b""), 9).until(8) == Run(memoryview(b""), 8)


AUDIENCES = st.sampled_from([EVERYONE, EVERYONE, "r:a", "u:b", None])


@given(
    st.lists(st.tuples(AUDIENCES, st.binary(min_size=1, max_size=9)), min_size=1, max_size=20),
    st.sets(st.sampled_from(["r:a", "u:b"])),
    st.data(),
)
def test_model(drawn: Entries, audiences: set[str], data: st.DataObject) -> None:
    """A stream that takes runs, cut anywhere, gets the bytes of its entries once, in order."""
    entries = [(audience, b"" if audience is None else frame) for audience, frame in drawn]
    made = segment_of(entries)
    wanted = {*audiences, EVERYONE}
    after = data.draw(st.integers(FIRST - 1, made.newest))
    expected = b"".join(frame for who, frame in entries[after + 1 - FIRST :] if who in wanted)
    received, written = b"", 0
    with mock.patch.object(module, "_LOOKED_AT", data.draw(st.sampled_from([1, 3, 1024]))):
        while after < made.newest:
            limit = data.draw(st.integers(1, 30))
            found = run(made, after, audiences, limit, written)
            assert found.end > after
            assert len(found.data) <= max(limit, 9)  # a single frame may be longer
            sent = data.draw(st.integers(min(1, len(found.data)), len(found.data)))
            received += found.data[:sent]
            after, written = found.place(sent)
    assert (received, written) == (expected, 0)


@given(st.lists(st.binary(max_size=4), min_size=1, max_size=9), st.data())
@settings(max_examples=100)
def test_changed_bytes(frames: list[bytes], data: st.DataObject) -> None:
    """A run is whole unless one of its own bytes was changed."""
    memory = bytearray(b"".join(frames))
    made = Segment(FIRST, memoryview(memory), 0.0, is_shared=True)
    for frame in frames:
        made.add(len(frame), EVERYONE)
    after = data.draw(st.integers(FIRST - 1, made.newest - 1))
    run = made.run(after, (), data.draw(st.integers(1, 40)), 0)
    assert made.is_whole(run)
    if memory:
        changed = data.draw(st.integers(0, len(memory) - 1))
        memory[changed] ^= data.draw(st.integers(1, 255))
        assert made.is_whole(run) is not (run.start <= changed < run.start + len(run.data))
