"""Tests of the decision whether a copy can go on: all of its cases, without Redis."""

from __future__ import annotations

import pytest

from gateway_shim.event_log.brokers.redis.stream import StoredEntry, View
from gateway_shim.event_log.brokers.settlement import Next, Place, Settlement, settle

HERE = Place("e", 10, "t10")
"""The newest entry of the copy."""


def entry(position: int, tag: str = "") -> StoredEntry:
    """Return an entry, whose tag is that of its position in the one true history."""
    return StoredEntry(position, tag or f"t{position}", f"t{position - 1}", "*", b"")


def view(
    newest: int,
    *,
    oldest: int | None = 1,
    epoch: str = "e",
    tag: str = "",
    exists: bool = True,
    signature: str = "s",
    at: StoredEntry | None = None,
) -> View:
    """Return a stream that has the entries from ``oldest`` to ``newest``."""
    if at is None and oldest is not None and oldest <= HERE.position <= newest:
        at = entry(HERE.position)
    first = None if oldest is None else entry(oldest)
    return View(epoch, signature, newest, tag or f"t{newest}", exists, first, at)


def decide(seen: View, here: Place = HERE, *, same_bytes: bool = False) -> Settlement:
    """Decide with the signature ``s``."""
    return settle(here, seen, "s", same_bytes=same_bytes)


@pytest.mark.parametrize("newest", [10, 11, 500])
def test_the_newest_entry_is_there(newest: int) -> None:
    """The copy goes on."""
    assert decide(view(newest)) == Settlement(Next.GO_ON, tag="t10")


@pytest.mark.parametrize(
    "seen",
    [
        view(0, epoch="", exists=False),
        view(10, exists=False, oldest=None),
        view(9),
        view(10, at=entry(10, "other")),
        view(500, at=entry(10, "other")),
        view(10, oldest=None, tag="other"),
        view(20, oldest=5, at=None)._replace(entry=None),  # deleted from the middle
        view(11, oldest=None),
        view(20)._replace(oldest=entry(11)._replace(before="other"), entry=None),
    ],
)
def test_redis_has_lost_something(seen: View) -> None:
    """The epoch ends, with a reason for the log."""
    found = decide(seen)
    assert found.next is Next.END
    assert found.reason


def test_trimmed_up_to_the_newest_entry() -> None:
    """Nothing is missing, and the oldest entry says that it follows."""
    assert decide(view(20, oldest=11)) == Settlement(Next.GO_ON, tag="t10")
    assert decide(view(10, oldest=None)) == Settlement(Next.GO_ON, tag="t10")


@pytest.mark.parametrize(
    ("oldest", "newest", "first", "tag"),
    [
        (13, 20, 12, "t12"),
        (300, 300, 299, "t299"),
        # The place of the oldest entry: with the one before, a stream would notice no gap.
        (12, 12, 12, "t12"),
        (None, 12, 12, "t12"),
        (None, 20, 20, "t20"),
    ],
)
def test_trimmed_past_the_newest_entry(
    oldest: int | None, newest: int, first: int, tag: str
) -> None:
    """The copy begins anew after a gap of two entries at least, in the same epoch."""
    found = decide(view(newest, oldest=oldest))
    assert found[:3] == (Next.COPY, first, tag)
    assert found.first >= HERE.position + 2
    assert found.reason


@pytest.mark.parametrize(
    ("oldest", "newest", "first", "tag"),
    [(0, 5, 0, "t0"), (3, 5, 2, "t2"), (None, 5, 5, "t5"), (1, 50, 0, "t0")],
)
def test_another_epoch(oldest: int | None, newest: int, first: int, tag: str) -> None:
    """The copy begins with all entries that there are; nobody here has had any of them."""
    found = decide(view(newest, oldest=oldest, epoch="f"))
    assert found == Settlement(Next.COPY, first, tag)


def test_another_form() -> None:
    """Entries of another form are never copied, whatever else has happened."""
    assert decide(view(20, signature="other")).next is Next.REFUSE
    assert decide(view(20, signature="other", epoch="f")).next is Next.REFUSE


def test_a_copy_whose_tag_is_unknown() -> None:
    """After a kill in between, the bytes of the newest entry decide."""
    here = HERE._replace(tag=None)
    assert decide(view(20), here, same_bytes=True) == Settlement(Next.GO_ON, tag="t10")
    assert decide(view(20), here, same_bytes=False).next is Next.END
    assert decide(view(20, oldest=11), here) == Settlement(Next.GO_ON, tag="t10")
    assert decide(view(10, oldest=None), here) == Settlement(Next.GO_ON, tag="t10")
