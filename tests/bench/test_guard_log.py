"""The calls and the memory of events that go through the log: counts, and no timings.

Each guard is also run without what it guards: without the log, where a stalled stream costs more.
"""

from __future__ import annotations

import pytest

from tests.bench.counted_gateway import FEW, MANY, CountedGateway, note_encodings
from tests.bench.test_guard_calls import python_calls
from tests.bench.test_guard_memory import blocks_left, peak_bytes


def test_one_system_call_per_delivery() -> None:
    """A delivery is one send, and no other method of any socket is called."""
    with CountedGateway(MANY, log=True) as counted:
        counted.count_calls()
        counted.broadcast()
        assert +counted.calls == {"send": MANY}


def test_encoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """An event is encoded once for any number of streams."""
    with CountedGateway(MANY, log=True) as counted:
        noted = note_encodings(monkeypatch)
        counted.broadcast()
        assert len(noted) == 1


def calls_for_one_more(*, stalled: bool, log: bool = True) -> float:
    """Return the number of Python functions that a broadcast calls for one more stream."""
    counts = []
    for streams in (FEW, 4 * FEW):
        with CountedGateway(streams, log=log) as counted:
            if stalled:
                counted.stall()
            counts.append(python_calls(counted))
    return (counts[1] - counts[0]) / (3 * FEW)


def test_no_python_call_per_delivery() -> None:
    """A delivery calls no Python function."""
    assert calls_for_one_more(stalled=False) < 0.5


def test_no_call_per_stalled_stream() -> None:
    """An event calls no Python function for a stalled stream, and no method of its socket."""
    assert calls_for_one_more(stalled=True) < 0.5
    with CountedGateway(FEW, log=True) as counted:
        counted.stall()
        counted.count_calls()
        counted.broadcast()
        assert not counted.calls


def test_more_calls_are_seen() -> None:
    """The guard fails without the log, where bytes are kept for each stalled stream."""
    assert calls_for_one_more(stalled=True, log=False) > 3


def test_no_object_per_delivery() -> None:
    """A broadcast uses memory for a list of its streams and for the yields between."""
    peaks = []
    for streams in (FEW, MANY):
        with CountedGateway(streams, log=True) as counted:
            peaks.append(peak_bytes(counted))
    assert (peaks[1] - peaks[0]) / (MANY - FEW) < 24


def left_behind(*, log: bool) -> int:
    """Return the blocks of memory that a hundred broadcasts to stalled streams leave behind."""
    with CountedGateway(FEW, log=log) as counted:
        counted.stall()
        return blocks_left(counted)


def test_nothing_is_kept_for_a_stalled_stream() -> None:
    """A hundred events leave no memory behind, although no client takes them."""
    assert left_behind(log=True) < 50


def test_what_is_left_behind_is_seen() -> None:
    """The guard fails without the log, where each event is kept for the clients."""
    assert left_behind(log=False) > 100
