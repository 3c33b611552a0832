"""Refusals, counted by reason."""

from __future__ import annotations

from gateway_shim.streams.refusal_counts import RefusalCounts, RefusalReason


def test_every_reason_from_the_start() -> None:
    """Every reason is there from the start: a missing metric cannot raise an alert."""
    counts = RefusalCounts()
    assert counts.by_reason == {reason.value: 0 for reason in RefusalReason}


def test_add() -> None:
    """A refusal is counted for its reason, in one object only."""
    counts = RefusalCounts()
    counts.add(RefusalReason.STREAM_LIMIT)
    assert counts.by_reason[RefusalReason.STREAM_LIMIT] == 1
    assert RefusalCounts().by_reason[RefusalReason.STREAM_LIMIT] == 0
