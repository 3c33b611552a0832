"""Tests of the log in memory. test_log.py tests what it shares with the other kind."""

from __future__ import annotations

from gateway_shim.event_log.audience import EVERYONE
from gateway_shim.event_log.limits import LogLimits
from gateway_shim.event_log.memory_log import MemoryLog, new_epoch


def test_epoch() -> None:
    """Each log has an epoch of its own, unless one is given."""
    assert MemoryLog(LogLimits()).epoch != MemoryLog(LogLimits()).epoch
    assert MemoryLog(LogLimits(), epoch="abc").epoch == "abc"
    assert new_epoch() != new_epoch()


def test_ends_with_the_process() -> None:
    """The log says that it is in memory, and how old it is."""
    now = [5.0]
    log = MemoryLog(LogLimits(), clock=lambda: now[0])
    log.append(EVERYONE, b"data: 1\n\n")
    now[0] = 7.5
    log.completed(1)
    stats = log.read_stats()
    assert stats.in_memory
    assert stats.oldest_age == 2.5
