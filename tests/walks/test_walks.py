"""Random walks over the gateway and its log: the promise holds."""

from __future__ import annotations

import pytest

from tests.walks.run import run_seed

_WALKS = 1200
_PARTS = 12


@pytest.mark.parametrize("part", range(_PARTS))
def test_the_promise_holds(part: int) -> None:
    """A browser gets every event that is addressed to it exactly once and in order, or a resync.

    More walks, with seeds that nobody has tried: ``python -m tests.walks --seconds 600``.
    """
    for seed in range(part, _WALKS, _PARTS):
        run_seed(seed)
