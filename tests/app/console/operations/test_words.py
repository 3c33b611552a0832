"""Figures in words."""

from __future__ import annotations

import pytest

from app.console.operations.words import count, is_or_are, size, span


def test_counts() -> None:
    """One thing has no plural; thousands are separated."""
    texts = [f"{count(number, 'stream')} {is_or_are(number)}" for number in (0, 1, 1200)]
    assert texts == ["0 streams are", "1 stream is", "1,200 streams are"]


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 bytes"),
        (1023, "1023 bytes"),
        (1024, "1 KiB"),
        (3.44 * 1024**2, "3.4 MiB"),
        (512 * 1024**2, "512 MiB"),
        (1024**3, "1 GiB"),
        (5000 * 1024**4, "5000 TiB"),
    ],
)
def test_sizes(number: float, text: str) -> None:
    """A size has the unit in which it is a short number."""
    assert size(number) == text


def test_spans() -> None:
    """Two minutes and more are told in minutes."""
    assert [span(seconds) for seconds in (0.4, 40, 119, 120, 600)] == [
        "0 s",
        "40 s",
        "119 s",
        "2 minutes",
        "10 minutes",
    ]
