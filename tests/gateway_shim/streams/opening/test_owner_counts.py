"""Each owner is counted by itself, and forgotten when it has nothing."""

from __future__ import annotations

from gateway_shim.streams.opening.owner_counts import OwnerCounts


def test_each_owner_by_itself() -> None:
    """What one has is not another's."""
    counts = OwnerCounts()
    for owner in ("a", "b", "a"):
        counts.enter(owner)
    assert [counts.of(owner) for owner in ("a", "b", "c")] == [2, 1, 0]
    counts.leave("a")
    assert counts.of("a") == 1


def test_owners_without_anything_are_not_kept() -> None:
    """Neither those who had something, nor those who were only asked for."""
    counts = OwnerCounts()
    counts.enter("a")
    counts.leave("a")
    assert (counts.of("a"), counts.of("b")) == (0, 0)
    assert len(counts) == 0


def test_the_one_without_a_name_is_not_counted() -> None:
    """It stands for all who have no limit of their own."""
    counts = OwnerCounts()
    counts.enter("")
    counts.leave("")
    assert counts.of("") == 0
    assert len(counts) == 0
