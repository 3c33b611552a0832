"""The bench's error."""

from __future__ import annotations

from app.bench.errors import BenchFailed


def test_its_message_is_for_a_person() -> None:
    """The text of the error is its message."""
    assert str(BenchFailed("no room")) == "no room"
