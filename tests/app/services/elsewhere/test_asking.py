"""Questions to other processes, and whether all of them have answered."""

from __future__ import annotations

from app.services.elsewhere.asking import Answers, ask_others
from tests.support.peers import PeerGroup


def test_all_answer() -> None:
    """The answers of all processes, or of the one that is asked."""
    group = PeerGroup()
    here, *others = [group.join(name) for name in "abc"]
    for number, peers in enumerate(others):
        peers.when_asked("q", lambda data, number=number: [number, data])
    assert ask_others(here, "q", "x") == Answers([[0, "x"], [1, "x"]], are_complete=True)
    assert ask_others(here, "q", "x", to="c") == Answers([[1, "x"]], are_complete=True)


def test_a_silent_process() -> None:
    """A process that runs and does not answer is noticed; one that is not asked does not matter."""
    group = PeerGroup()
    here, *others = [group.join(name) for name in "abc"]
    for peers in others:
        peers.when_asked("q", lambda _: 1)
    group.silent.add("b")
    assert ask_others(here, "q", None) == Answers([1], are_complete=False)
    assert ask_others(here, "q", None, to="c") == Answers([1], are_complete=True)


def test_a_process_that_has_ended() -> None:
    """A process that has ended has nothing to say, also if it ends while it is asked."""
    group = PeerGroup()
    here, there = group.join("a"), group.join("b")
    there.when_asked("q", lambda _: there.leave())
    assert ask_others(here, "q", None) == Answers([], are_complete=True)
    assert ask_others(here, "q", None, to="b") == Answers([], are_complete=True)
