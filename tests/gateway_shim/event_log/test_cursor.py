"""Tests of cursors."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_shim.event_log.cursor import MAX_CURSOR_CHARACTERS, Cursor
from gateway_shim.event_log.memory_log import new_epoch


def test_text() -> None:
    """A cursor is written as the epoch and the position."""
    assert str(Cursor("a1b2", 17)) == "a1b2-17"
    assert Cursor.parse("a1b2-17") == Cursor("a1b2", 17)


@given(st.from_regex(r"[a-z0-9]{1,16}", fullmatch=True), st.integers(0, 10**19 - 1))
def test_round_trip(epoch: str, position: int) -> None:
    """Every cursor is read as what was written, and is not too long."""
    cursor = Cursor(epoch, position)
    assert Cursor.parse(str(cursor)) == cursor
    assert len(str(cursor)) <= MAX_CURSOR_CHARACTERS


@pytest.mark.parametrize(
    "text",
    [
        *("", "-", "a-", "-1", "a1", "a-01", "a--1", "a-+1", "a-1 ", " a-1", "a-1\n", "A-1"),
        *("a-\u0661", "\xe9-1", "a-1-1", "a-1.0", "a" * 17 + "-1", "a-" + "1" * 20, "a" * 10**6),
    ],
)
def test_other_texts(text: str) -> None:
    """A text that no log writes is not a cursor."""
    assert Cursor.parse(text) is None


@given(st.text(max_size=45))
def test_any_text(text: str) -> None:
    """A text is not a cursor, or is exactly the text of its cursor."""
    cursor = Cursor.parse(text)
    assert cursor is None or str(cursor) == text


def test_epochs() -> None:
    """A new epoch has a name that cursors can hold, and that no other has."""
    names = {new_epoch() for _ in range(1000)}
    assert len(names) == 1000
    assert all(Cursor.parse(f"{name}-0") == Cursor(name, 0) for name in names)
