"""A log that leaves its reads to another log."""

from __future__ import annotations

from gateway_shim.event_log.audience import EVERYONE
from gateway_shim.event_log.delegating_log import DelegatingLog
from gateway_shim.event_log.limits import LogLimits
from gateway_shim.event_log.memory_log import MemoryLog


class Front(DelegatingLog):
    """A log in front of another one."""

    def __init__(self, log: MemoryLog) -> None:
        self._log = log


def test_everything_is_read_from_the_other_log() -> None:
    """All that is read is what the other log has; nothing is kept beside it."""
    log = MemoryLog(LogLimits(1 << 16))
    front = Front(log)
    for number in range(3):
        log.append(EVERYONE, b"data: %d\n\n" % number)
    assert (front.epoch, front.oldest, front.newest) == (log.epoch, 0, 3)
    assert front.read(1, 5) == log.read(1, 5)
    assert front.run(1, (), 1 << 16, 2) == log.run(1, (), 1 << 16, 2)
    assert front.bytes_after(1) == log.bytes_after(1) > 0
    stats, expected = front.read_stats(), log.read_stats()
    assert stats._replace(oldest_age=0.0) == expected._replace(oldest_age=0.0)


def test_the_other_log_is_told() -> None:
    """The progress of this process reaches the other log, and so does an expiry."""
    called: list[object] = []

    class Noting(MemoryLog):
        def completed(self, position: int) -> None:
            called.append(position)

        def expire(self) -> None:
            called.append("expire")

    front = Front(Noting(LogLimits(1 << 16)))
    front.completed(7)
    front.expire()
    assert called == [7, "expire"]
