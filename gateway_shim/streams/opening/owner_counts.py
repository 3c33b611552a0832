"""Counts by owner, such as a client's address, for limits that each owner has."""

from __future__ import annotations

from collections import Counter

__all__ = ["OwnerCounts"]


class OwnerCounts:
    """Counts what each owner has. Owners that have nothing are not kept."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def __len__(self) -> int:
        """Count the owners."""
        return len(self._counts)

    def of(self, owner: str) -> int:
        """Return how many an owner has; the one without a name has none, as it is not counted."""
        return self._counts[owner]

    def enter(self, owner: str) -> None:
        """Count one more of an owner's."""
        if owner:
            self._counts[owner] += 1

    def leave(self, owner: str) -> None:
        """Count one of an owner's less."""
        if not owner:
            return
        self._counts[owner] -= 1
        if self._counts[owner] <= 0:
            del self._counts[owner]
