"""Tests of the limits of a log."""

from __future__ import annotations

from gateway_shim.event_log.limits import LogLimits


def test_segments() -> None:
    """A segment is an eighth of the log."""
    assert LogLimits().segment_bytes == 4 * 1024 * 1024
    assert LogLimits(size=800).segment_bytes == 100


def test_full_of_time() -> None:
    """A segment takes entries for an eighth of the time; without a limit, for any time."""
    limits = LogLimits(seconds=80)
    assert not limits.is_full_of_time(10)
    assert limits.is_full_of_time(10.1)
    assert not LogLimits().is_full_of_time(1e9)
