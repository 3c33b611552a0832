"""Which of the arbiter's workers is the newest."""

from __future__ import annotations

from gateway_shim.generations import Generations


def test_the_newest_has_no_successor() -> None:
    """Only workers that are older than the last one have one."""
    generations = Generations()
    assert not generations.has_successor(0)
    generations.begin(1)
    assert not generations.has_successor(1)
    generations.begin(2)
    assert generations.has_successor(1)
    assert not generations.has_successor(2)
