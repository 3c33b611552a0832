"""The backlog of one stream: its place in the log, and bytes of its own."""

from __future__ import annotations

import pytest

from gateway_shim.errors import OutboxFull
from gateway_shim.event_log.limits import LogLimits
from gateway_shim.event_log.memory_log import MemoryLog
from gateway_shim.event_log.segment import Run
from gateway_shim.protocol import event_stream
from gateway_shim.protocol.buffer_budget import BufferBudget
from gateway_shim.protocol.event_stream import BodyFraming, Frame
from gateway_shim.protocol.first_event import FirstEvent
from gateway_shim.protocol.stream import Stream
from gateway_shim.streams.replay.backlog import SEND_BYTES, Backlog

RESYNC = event_stream.frame(b"event: resync\ndata: x\n\n")


class SmallLog:
    """A log of some entries, and what a process has completed of it."""

    def __init__(self, size: int = 1 << 20) -> None:
        self.log = MemoryLog(LogLimits(size), epoch="e")
        self.completed = 0
        self.fell = 0

    @property
    def newest(self) -> int:
        """The position of the newest entry."""
        return self.log.newest

    def add(self, *texts: bytes, audience: str = "*") -> None:
        """Append events and complete them."""
        for text in texts:
            self.completed = self.log.append(audience, text)

    def run(self, after: int, audiences: tuple[str, ...], limit: int, written: int) -> Run | None:
        """Return what a stream gets next."""
        return self.log.run(after, audiences, limit, written)

    def lagging(self) -> Frame:
        """Return a resync, and count it."""
        self.fell += 1
        return RESYNC


def stream(framing: BodyFraming = BodyFraming.CHUNKED, limit: int = 100) -> Stream:
    """Return a stream with the audience ``r:me``."""
    made = Stream("t", b"", framing=framing, limit=limit, budget=BufferBudget(1000))
    made.audiences = ("r:me",)
    return made


def chunk(position: int, text: bytes) -> bytes:
    """Return an entry as the log keeps it."""
    return event_stream.frame(b"id: e-%d\n%b" % (position, text)).chunked


def write_all(backlog: Backlog, step: int = 1 << 20) -> bytes:
    """Write what waits, at most ``step`` bytes at a time."""
    written = b""
    while not backlog.caught_up:
        data = bytes(backlog.head()[:step])
        written += data
        if data:
            backlog.advance(len(data))
    return written


@pytest.mark.parametrize("step", [1, 2, 7, 1000])
def test_a_range_and_own_bytes(step: int) -> None:
    """Own bytes come between the entries before and after them, whatever the kernel takes."""
    log, one = SmallLog(), stream()
    log.add(b"a\n\n", b"b\n\n")
    backlog = Backlog(log, one, 0)
    backlog.put(b"own")
    log.add(b"c\n\n")
    backlog.put(b"last", final=True)
    log.add(b"after the end\n\n")
    assert backlog.size == 7
    expected = chunk(1, b"a\n\n") + chunk(2, b"b\n\n") + b"own" + chunk(3, b"c\n\n") + b"last"
    assert write_all(backlog, step) == expected
    assert (backlog.size, one.budget.size, one.budget.waiting) == (0, 0, 0)
    assert backlog.told == 3


@pytest.mark.parametrize("written", [0, 1, 10])
def test_a_half_written_entry_is_finished_first(written: int) -> None:
    """Own bytes wait for the end of an entry that the kernel has taken in part."""
    log = SmallLog()
    log.add(b"a\n\n", b"b\n\n")
    backlog = Backlog(log, stream(), 1, written)
    log.completed = 1  # the entry 2 is being delivered
    backlog.put(b"own")
    rest = chunk(2, b"b\n\n")[written:]
    assert write_all(backlog) == (rest + b"own" if written else b"own" + rest)


def test_entries_for_others_are_passed_over() -> None:
    """A stream gets its own entries and everyone's. Its place moves past the other ones."""
    log = SmallLog()
    log.add(b"a\n\n")
    log.add(b"x\n\n", audience="r:other")
    log.add(b"b\n\n", audience="r:me")
    log.add(*[b"x\n\n"] * 3000, audience="r:other")
    backlog = Backlog(log, stream(), 0)
    assert write_all(backlog, 5) == chunk(1, b"a\n\n") + chunk(3, b"b\n\n")
    assert backlog.position == log.newest
    assert backlog.told == 3


@pytest.mark.parametrize("step", [1, 5, 1000])
def test_one_send_writes_events_between_others(step: int) -> None:
    """Events between which others' entries lie take one send, and own bytes keep their place."""
    log, one = SmallLog(), stream()
    log.add(b"a\n\n")
    log.add(b"x\n\n", audience="r:other")
    log.add(b"b\n\n")
    log.add(b"y\n\n", audience="r:other")
    backlog = Backlog(log, one, 0)
    backlog.put(b"own")
    log.add(b"c\n\n")
    assert bytes(backlog.head()) == chunk(1, b"a\n\n") + chunk(3, b"b\n\n")
    expected = chunk(1, b"a\n\n") + chunk(3, b"b\n\n") + b"own" + chunk(5, b"c\n\n")
    assert write_all(backlog, step) == expected
    entries = (chunk(1, b"a\n\n"), chunk(3, b"b\n\n"), chunk(5, b"c\n\n"))
    assert one.sent == complex(3, sum(map(len, entries)))
    assert (backlog.told, backlog.size) == (5, 0)


def test_one_send_is_bounded() -> None:
    """One head is at most as many bytes as one send may have, or one longer entry."""
    log = SmallLog(size=16 << 20)
    log.add(*[b"x" * 1000] * 300, b"y" * (SEND_BYTES + 1))
    backlog = Backlog(log, stream(), 0)
    sizes = []
    while not backlog.caught_up:
        head = backlog.head()
        sizes.append(len(head))
        backlog.advance(len(head))
    assert max(sizes[:-1]) <= SEND_BYTES < sizes[-1]
    assert len(sizes) == 4


def test_falling_off() -> None:
    """A stream whose next entries were trimmed gets one resync, then what is new."""
    log, one = SmallLog(size=64 * 1024), stream()
    backlog = Backlog(log, one, 0)
    backlog.put(b"own")
    assert backlog.head() == b"own"
    backlog.advance(1)
    log.add(*[b"x" * 5000] * 30)
    assert log.log.oldest > 1
    backlog.put(b"2")
    log.add(b"new\n\n")
    assert write_all(backlog) == b"wn" + RESYNC.chunked + b"2"
    log.add(b"newer\n\n")
    assert write_all(backlog) == chunk(log.newest, b"newer\n\n")
    assert log.fell == 1


def test_a_trimmed_half_written_entry() -> None:
    """The rest of the entry is copied when it is trimmed, so that no bytes land in its middle."""
    log = SmallLog(size=64 * 1024)
    log.add(b"first\n\n", *[b"x" * 5000] * 2)
    backlog, one = Backlog(log, stream(), 0), chunk(1, b"first\n\n")
    backlog.head()
    backlog.advance(3)
    backlog.save_frame(0, {})
    assert backlog.size == 0, "the entry is not trimmed"
    backlog.save_frame(2, {})
    assert backlog.size == len(one) - 3
    log.add(*[b"x" * 5000] * 30)
    assert write_all(backlog) == one[3:] + RESYNC.chunked


@pytest.mark.parametrize("half_written", [False, True])
def test_a_new_epoch(half_written: bool) -> None:
    """All that waits stays, after the resync; a piece that is half written is finished first."""
    log = SmallLog()
    log.add(b"a\n\n")
    backlog = Backlog(log, stream(), 1)
    backlog.put(b"own")
    if half_written:
        backlog.head()
        backlog.advance(1)
    log.log, log.completed = MemoryLog(LogLimits(1 << 20), epoch="f"), 0
    backlog.restart(RESYNC)
    assert write_all(backlog) == (
        b"wn" + RESYNC.chunked if half_written else RESYNC.chunked + b"own"
    )
    assert backlog.position == 0


def test_own_bytes_are_bounded() -> None:
    """Too many own bytes are refused, and nothing of them is kept. The last ones always fit."""
    backlog = Backlog(SmallLog(), stream(limit=5), 0)
    backlog.put(b"12345")
    with pytest.raises(OutboxFull):
        backlog.put(b"6")
    backlog.put(b"last", final=True)
    assert backlog.size == 9
    backlog.clear()
    assert (backlog.size, backlog.caught_up) == (0, True)


def test_put_first_and_nothing() -> None:
    """The first bytes come before all else; no bytes at all are no piece to write."""
    log = SmallLog()
    log.add(b"a\n\n")
    backlog = Backlog(log, stream(), 0)
    backlog.put(b"")
    backlog.put(b"own")
    backlog.put_first(b"head")
    assert write_all(backlog) == b"head" + chunk(1, b"a\n\n") + b"own"


@pytest.mark.parametrize("framing", BodyFraming)
def test_entries_in_another_form(framing: BodyFraming) -> None:
    """The first event gets ``retry:``, and a bare body gets no chunks."""
    log = SmallLog()
    log.add(b"data: a\n\n", b"data: b\n\n")
    one = Stream("t", b"", framing=framing, limit=9, first_event=FirstEvent(7))
    first = event_stream.frame(b"retry: 7\nid: e-1\ndata: a\n\n").in_form(framing)
    second = event_stream.frame(b"id: e-2\ndata: b\n\n").in_form(framing)
    assert write_all(Backlog(log, one, 0), 4) == first + second
