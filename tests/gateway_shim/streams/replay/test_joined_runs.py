"""Short runs that one ``send`` writes together."""

from __future__ import annotations

import pytest

from gateway_shim.event_log.limits import LogLimits
from gateway_shim.event_log.memory_log import MemoryLog
from gateway_shim.event_log.segment import Run
from gateway_shim.protocol import event_stream
from gateway_shim.streams.replay.joined_runs import (
    JOINED_BYTES,
    JOINED_RUNS,
    data_of,
    join,
    place_after,
)


def chunk(position: int, text: bytes) -> bytes:
    """Return an entry as the log keeps it."""
    return event_stream.frame(b"id: e-%d\n%b\n\n" % (position, text)).chunked


class Runs:
    """The runs of a stream that gets every second entry of a log.

    Args:
        texts: the entries that it gets; one for others follows each.
    """

    def __init__(self, *texts: bytes) -> None:
        self.log = MemoryLog(LogLimits(1 << 22), epoch="e")
        self.asked: list[int] = []
        for text in texts:
            self.log.append("*", text + b"\n\n")
            self.log.append("r:other", b"not for it\n\n")

    def after(self, position: int, limit: int) -> Run | None:
        """Return the run after a position, and note the position."""
        self.asked.append(position)
        return self.log.run(position, ("r:me",), limit)

    def first(self) -> Run:
        """Return the first run."""
        run = self.log.run(0, ("r:me",), JOINED_BYTES)
        assert run is not None
        return run


def test_events_between_entries_for_others() -> None:
    """Events between which others' entries lie are written together, without those."""
    runs = Runs(b"a", b"b", b"c")
    joined = join(runs.first(), runs.after)
    assert bytes(data_of(joined)) == chunk(1, b"a") + chunk(3, b"b") + chunk(5, b"c")


def test_each_place() -> None:
    """The place is right wherever the kernel stops, and only the stream's entries are counted."""
    runs = Runs(b"a", b"bb", b"ccc")
    joined = join(runs.first(), runs.after)
    data = data_of(joined)
    entries = {1: chunk(1, b"a"), 3: chunk(3, b"bb"), 5: chunk(5, b"ccc")}
    for sent in range(len(data) + 1):
        position, written, done = place_after(joined, sent)
        rest = b"".join(entry for place, entry in entries.items() if place > position)
        assert bytes(data[sent:]) == rest[written:]
        assert done == sum(place <= position for place in entries)


def test_a_long_run_is_not_copied() -> None:
    """A run that is long enough for a send of its own stays as it is; nothing else is read."""
    runs = Runs(b"x" * JOINED_BYTES, b"b")
    first = runs.first()
    assert join(first, runs.after) == [first]
    assert data_of([first]) is first.data
    assert runs.asked == []


def test_bytes_are_bounded() -> None:
    """All that exceeds the limit waits for the next send, also if it is one long event."""
    half = b"x" * (JOINED_BYTES // 2 - 100)
    runs = Runs(half, half, half)
    assert len(join(runs.first(), runs.after)) == 2
    runs = Runs(b"a", b"x" * JOINED_BYTES, b"c")
    assert bytes(data_of(join(runs.first(), runs.after))) == chunk(1, b"a")


def test_looks_are_bounded() -> None:
    """A log of very many entries for others between events takes a bounded time."""
    runs = Runs(*[b"x"] * (2 * JOINED_RUNS))
    join(runs.first(), runs.after)
    assert len(runs.asked) == JOINED_RUNS - 1


@pytest.mark.parametrize("end", [None, "same"])
def test_the_end(end: str | None) -> None:
    """Trimmed entries, and the end of the log, are left to the next look."""
    runs = Runs(b"a")
    first = runs.first()
    following = None if end is None else first._replace(data=memoryview(b""))
    assert join(first, lambda position, limit: following) == [first]
