"""Repeatable choices: the same seed gives the same choices on every machine."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

__all__ = ["Dice"]

_T = TypeVar("_T")


class Dice:
    """Makes the random choices of one case.

    Args:
        seed: any text.
    """

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)  # noqa: S311 - the choices must be repeatable

    def one(self, choices: Sequence[_T]) -> _T:
        """Return one of the choices, all of which are equally likely."""
        return self._random.choice(choices)

    def chance(self, share: float) -> bool:
        """Return True in the given share of the calls, 0.0 to 1.0."""
        return self._random.random() < share

    def share(self) -> float:
        """Return a number from 0.0 up to, but not including, 1.0."""
        return self._random.random()

    def below(self, end: int) -> int:
        """Return a whole number from 0 to ``end - 1``."""
        return self._random.randrange(end)

    def some(self, choices: Sequence[_T], end: int) -> list[_T]:
        """Return fewer than ``end`` of the choices; a choice may occur several times."""
        return [self.one(choices) for _ in range(self.below(end))]
