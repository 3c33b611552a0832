"""Advice, and how urgent it is."""

from __future__ import annotations

from app.console.operations.advice import Advice, Level


def test_the_page_gets_texts() -> None:
    """A level is its text; the most urgent comes first."""
    assert [str(level) for level in Level] == ["bad", "warning", "note"]
    assert Advice("kind", Level.BAD, "text.") == Advice("kind", Level("bad"), "text.")
