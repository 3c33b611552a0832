"""Waiting for a condition."""

from __future__ import annotations

import pytest

from tests.support.timing import TimeLimitPassed, wait_until


def test_returns_first_true_answer() -> None:
    """The first true answer is returned, and nothing is asked after it."""
    answers = iter([0, "", "yes"])
    assert wait_until(lambda: next(answers), "an answer") == "yes"
    assert list(answers) == []


def test_says_what_was_waited_for() -> None:
    """When the limit passes, the error names what did not happen."""
    with pytest.raises(TimeLimitPassed, match=r"^waited 0\.0 s for a sign$"):
        wait_until(lambda: False, "a sign", limit=0.0)


def test_description_is_made_at_the_end() -> None:
    """A description that is a function tells how things stand when the limit passes."""
    looks: list[int] = []
    with pytest.raises(TimeLimitPassed, match=r"two looks, had [1-9]"):
        wait_until(lambda: looks.append(1), lambda: f"two looks, had {len(looks)}", limit=0.02)
