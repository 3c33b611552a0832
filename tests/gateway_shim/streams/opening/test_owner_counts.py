"""Counts by owner."""

from __future__ import annotations

from gateway_shim.streams.opening.owner_counts import OwnerCounts


def test_each_owner_by_itself() -> None:
    """The things of one owner are not counted for another."""
    counts = OwnerCounts()
    for owner in ("a", "b", "a"):
        counts.enter(owner)
    assert [counts.of(owner) for owner in ("a", "b", "c")] == [2, 1, 0]
    counts.leave("a")
    assert counts.of("a") == 1


def test_owners_without_anything_are_not_kept() -> None:
    """Owners that had something, or were only asked about, take no memory."""
    counts = OwnerCounts()
    counts.enter("a")
    counts.leave("a")
    assert (counts.of("a"), counts.of("b")) == (0, 0)
    assert len(counts) == 0


def test_the_empty_owner() -> None:
    """The empty owner, which stands for all without a limit, is not counted."""
    counts = OwnerCounts()
    counts.enter("")
    counts.leave("")
    assert counts.of("") == 0
    assert len(counts) == 0
