"""Tests of positions as words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_shim.errors import LogDamaged
from gateway_shim.event_log.segments.words import seal, seed_of, unseal


@given(st.integers(0, 2**48 - 1))
def test_words(position: int) -> None:
    """A word holds a position; a word of another epoch or another meaning is not accepted."""
    word = seal(position, seed_of("abc", 1))
    assert word < 2**64
    assert unseal(word, seed_of("abc", 1)) == position
    for seed in (seed_of("abc", 2), seed_of("abd", 1)):
        with pytest.raises(LogDamaged):
            unseal(word, seed)


@given(st.integers(0, 2**48 - 1), st.integers(0, 7), st.integers(1, 255))
def test_changed_word(position: int, place: int, change: int) -> None:
    """A byte of a word that has changed is always found."""
    with pytest.raises(LogDamaged):
        unseal(seal(position, 1) ^ change << 8 * place, 1)


def test_an_empty_word_is_not_a_position() -> None:
    """Zeros, as in a file that was never written, are not a position of any epoch in use."""
    for meaning in (1, 2):
        with pytest.raises(LogDamaged):
            unseal(0, seed_of("abc", meaning))
