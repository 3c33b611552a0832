"""The bench's error."""

from __future__ import annotations

from app.bench.errors import BenchFailed


def test_its_message_is_for_a_person() -> None:
    """It says itself what its message says, and no more."""
    assert str(BenchFailed("no room")) == "no room"
