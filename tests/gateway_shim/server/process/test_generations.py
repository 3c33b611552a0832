"""Tests of the record of the newest worker and of the workers that have served."""

from __future__ import annotations

from gateway_shim.server.process.generations import Generations


def test_the_newest_has_no_successor() -> None:
    """Only workers that are older than the newest worker have a successor."""
    generations = Generations()
    assert not generations.has_successor(0)
    generations.begin(1)
    assert not generations.has_successor(1)
    generations.begin(2)
    assert generations.has_successor(1)
    assert not generations.has_successor(2)


def test_who_has_served() -> None:
    """Once a worker has served, every earlier worker counts as one that has served."""
    generations = Generations()
    assert not generations.has_served(1)
    generations.begin(2)
    generations.note_served(2)
    assert (generations.has_served(1), generations.has_served(2)) == (True, True)
    assert not generations.has_served(3)
    generations.note_served(1)
    assert generations.has_served(2)
    assert not generations.has_successor(2)
