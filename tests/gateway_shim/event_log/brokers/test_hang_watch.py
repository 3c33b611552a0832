"""Tests of the decision whether the carrier hangs."""

from __future__ import annotations

import pytest

from gateway_shim.event_log.brokers.hang_watch import LOOKS, HangWatch

HERE = (7, ("e", 10))


def test_a_carrier_that_hangs() -> None:
    """Entries are missing, and nothing has changed in many looks. Then the count begins anew."""
    watch = HangWatch()
    for _ in range(2):
        assert [watch.look(*HERE, True) for _ in range(LOOKS - 1)] == [False] * (LOOKS - 1)
        assert watch.look(*HERE, True)


@pytest.mark.parametrize(
    ("file", "place", "misses_entries"),
    [
        pytest.param(8, ("e", 10), True, id="another carrier"),
        pytest.param(7, ("f", 10), True, id="another epoch"),
        pytest.param(7, ("e", 11), True, id="an entry was copied"),
        pytest.param(7, ("e", 10), False, id="nothing was missing"),
    ],
)
def test_a_carrier_that_does_not_hang(
    file: int, place: tuple[str, int], misses_entries: bool
) -> None:
    """One other look among them is enough."""
    watch = HangWatch()
    for _ in range(LOOKS - 1):
        watch.look(*HERE, True)
    assert not watch.look(file, place, misses_entries)
    assert not any(watch.look(*HERE, True) for _ in range(LOOKS - 1))
