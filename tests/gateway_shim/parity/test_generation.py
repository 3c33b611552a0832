"""Generated cases: the same for a seed, and all of them playable."""

from __future__ import annotations

from collections import Counter

from gateway_shim.parity.cases import Case
from gateway_shim.parity.generation import generate


def test_a_seed_gives_the_same_cases_always() -> None:
    """Also as the beginning of more cases; another seed gives others."""
    cases = generate(7, 20)
    assert generate(7, 30)[:20] == cases
    assert generate(8, 20) != cases


def test_every_case_can_be_played_and_replayed() -> None:
    """What is printed is read back as the same case."""
    for case in generate(3, 300):
        assert case.is_playable()
        assert Case.from_json(case.to_json()) == case


def test_all_kinds_of_steps_are_generated() -> None:
    """Opens, sends, closes and disconnects, malformed bodies and other requests."""
    kinds = Counter(type(step).__name__ for case in generate(1, 300) for step in case.steps)
    assert set(kinds) == {
        "AwaitCallback", "Drop", "End", "Fence", "Gone", "Open", "Post", "Release", "Request",
        "Send",
    }  # fmt: skip
