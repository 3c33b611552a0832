"""The garbage collector at the start and at the end of a process."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from gateway_shim.server.process.garbage import GarbageAtStart, leave_garbage


@pytest.fixture(autouse=True)
def _the_collector_stays_as_it_was() -> Iterator[None]:
    """Give the collector back as it was."""
    usual = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*usual)


def test_collections_are_rare_until_the_start_is_over() -> None:
    """The number of objects is higher during the start only, and the objects of then are exempt."""
    usual = gc.get_threshold()
    start = GarbageAtStart()
    assert gc.get_threshold()[0] > 100 * usual[0]
    kept: list[object] = []
    kept.append(kept)
    start.end()
    assert gc.get_threshold() == usual
    assert gc.get_freeze_count() > 0
    assert not any(found is kept for found in gc.get_objects())


def test_a_number_of_the_application_stays() -> None:
    """An application that has set its own thresholds during the start keeps them."""
    start = GarbageAtStart()
    gc.set_threshold(1234, 5, 6)
    start.end()
    assert gc.get_threshold() == (1234, 5, 6)


def test_a_process_that_exits_leaves_its_garbage() -> None:
    """After the call, no object is left for a collection."""
    leave_garbage()
    assert gc.get_freeze_count() > 0
