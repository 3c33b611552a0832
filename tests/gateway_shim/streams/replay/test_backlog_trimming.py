"""Backlogs that stand in the middle of an entry which the log trims."""

from __future__ import annotations

from collections.abc import Container

from gateway_shim.event_log.audience import EVERYONE
from gateway_shim.event_log.limits import LogLimits
from gateway_shim.event_log.memory_log import MemoryLog
from gateway_shim.event_log.segment import Run
from gateway_shim.protocol.buffer_budget import UNLIMITED, BufferBudget
from gateway_shim.protocol.event_stream import BodyFraming, Frame, frame
from gateway_shim.protocol.stream import Stream
from gateway_shim.streams.replay.backlog import Backlog

EVENT = b"data: %b\n\n" % (b"x" * 1000)


class LogOfOneProcess:
    """A log whose entries have all been delivered."""

    def __init__(self) -> None:
        self.log = MemoryLog(LogLimits())

    @property
    def completed(self) -> int:
        """The position of the newest entry."""
        return self.log.newest

    newest = completed

    def run(self, after: int, audiences: Container[str], limit: int, written: int) -> Run | None:
        """Return what a stream gets next."""
        return self.log.run(after, audiences, limit, written)

    def lagging(self) -> Frame:
        """Return an event."""
        return frame(b"event: resync\n\n")


def stream(budget: BufferBudget) -> Stream:
    """Return a stream."""
    return Stream("t", b"r", framing=BodyFraming.CHUNKED, limit=1000, budget=budget)


def test_streams_that_stall_in_one_entry_share_a_copy() -> None:
    """The entry is copied once, and each stream goes on where it was."""
    log, budget = LogOfOneProcess(), BufferBudget(10**6)
    log.log.append(EVERYONE, EVENT)
    whole = bytes(log.log.read(0, 1)[0].frame)  # type: ignore[index]
    copies: dict[int, bytes] = {}
    for written in (1, 500, len(whole) - 1):
        backlog = Backlog(log, stream(budget), 0, written)
        backlog.save_frame(1, copies)
        assert (backlog.position, backlog.written) == (1, 0)
        assert bytes(backlog.head()) == whole[written:]
        assert backlog.size == len(whole) - written
    assert copies == {1: whole}
    assert budget.size == len(whole)
    backlog.advance(1)
    assert (backlog.size, backlog.caught_up) == (0, True)
    assert budget.waiting == len(whole) - 1 + len(whole) - 500


def test_what_is_not_torn_is_not_copied() -> None:
    """Nothing is copied for a stream between two entries, or in an entry that stays."""
    log, copies = LogOfOneProcess(), dict[int, bytes]()
    log.log.append(EVERYONE, EVENT)
    Backlog(log, stream(UNLIMITED), 0).save_frame(1, copies)
    Backlog(log, stream(UNLIMITED), 0, 7).save_frame(0, copies)
    assert copies == {}
