"""Repeatable choices."""

from __future__ import annotations

from gateway_shim.parity.fuzz.generation.dice import Dice


def test_the_same_seed_makes_the_same_choices() -> None:
    """The same seed gives the same choices, and another seed gives others."""
    first, second, other = Dice("a"), Dice("a"), Dice("b")
    made = [[dice.below(1000) for _ in range(20)] for dice in (first, second, other)]
    assert made[0] == made[1] != made[2]


def test_choices_stay_within_their_bounds() -> None:
    """Choices are within their limits, and shares are from 0 to 1."""
    dice = Dice("c")
    assert {dice.below(3) for _ in range(100)} == {0, 1, 2}
    assert {len(dice.some("xy", 3)) for _ in range(100)} == {0, 1, 2}
    assert {dice.one("xy") for _ in range(100)} == {"x", "y"}
    assert all(0 <= dice.share() < 1 for _ in range(100))
    assert not any(dice.chance(0) for _ in range(100))
    assert all(dice.chance(1) for _ in range(100))
