"""Counts by owner, such as a client's address, for limits on each owner."""

from __future__ import annotations

from collections import Counter

__all__ = ["OwnerCounts"]


class OwnerCounts:
    """The number of things that each owner has. Owners that have none take no memory."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def __len__(self) -> int:
        """Return the number of owners."""
        return len(self._counts)

    def of(self, owner: str) -> int:
        """Return the number of things that an owner has. The empty owner is not counted: 0."""
        return self._counts[owner]

    def enter(self, owner: str) -> None:
        """Count one more thing of an owner."""
        if owner:
            self._counts[owner] += 1

    def leave(self, owner: str) -> None:
        """Count one thing less of an owner."""
        if not owner:
            return
        self._counts[owner] -= 1
        if self._counts[owner] <= 0:
            del self._counts[owner]
