"""Tests of the questions of this process."""

from __future__ import annotations

import gevent
import pytest

from gateway_shim.streams.peers import asking as module
from gateway_shim.streams.peers.asking import SILENT_SECONDS, Asking, OpenQuestion
from gateway_shim.streams.peers.note import Note, Role
from gateway_shim.streams.peers.stats import PeerStats
from tests.support.timing import TIME_LIMIT


class Clock:
    """A clock that goes on by the given step at each look."""

    def __init__(self, step: float = 0.0) -> None:
        self.now = 0.0
        self.step = step

    def __call__(self) -> float:
        """Return the time."""
        self.now += self.step
        return self.now


def answer(question: OpenQuestion, sender: str, data: object = None) -> Note:
    """Return an answer."""
    return Note(sender, Role.ANSWER, "k", data, "me", question.name)


def test_all_have_answered() -> None:
    """A question ends with the last answer. Others' and second answers are ignored."""
    stats = PeerStats()
    asking = Asking(stats, Clock())
    question = asking.begin(["a", "b"])
    waiting = gevent.spawn(asking.wait, question, 1.0, lambda: ["a", "b", "c"])
    for sender, data in (("a", 1), ("c", 9), ("a", 2)):
        asking.answered(answer(question, sender, data))
    gevent.sleep(0)
    assert not waiting.ready()
    asking.answered(answer(question, "b", 3))
    waiting.get(timeout=TIME_LIMIT)
    assert question.answers == {"a": 1, "b": 3}
    assert stats.silent == 0
    asking.end(question)
    asking.answered(answer(question, "a", 4))
    assert question.answers == {"a": 1, "b": 3}


def test_an_answer_that_is_enough() -> None:
    """The others are not waited for, and do not count as silent. Each answer is read once."""
    stats, read = PeerStats(), []
    asking = Asking(stats, Clock())

    def unpack(data: object) -> object:
        read.append(data)
        return None if data == 0 else data

    question = asking.begin(["a", "b", "c", "d"], unpack, lambda data: data == 2)
    waiting = gevent.spawn(asking.wait, question, 1.0, lambda: ["a", "b", "c", "d"])
    for sender, data in (("a", 0), ("b", 1)):
        asking.answered(answer(question, sender, data))
        gevent.sleep(0)
        assert not waiting.ready()
    asking.answered(answer(question, "c", 2))
    waiting.get(timeout=TIME_LIMIT)
    assert question.read() == {"a": None, "b": 1, "c": 2}
    assert read == [0, 1, 2]
    assert stats.silent == 0


def test_questions_have_different_names() -> None:
    """An answer to one question is no answer to another one."""
    asking = Asking(PeerStats(), Clock())
    first, second = asking.begin(["a"]), asking.begin(["a"])
    asking.answered(answer(second, "a", 2))
    assert (first.missing, second.missing) == ({"a"}, set())


def test_a_process_that_ends() -> None:
    """Nobody waits for a process that has ended."""
    asking = Asking(PeerStats(), Clock())
    question, running = asking.begin(["a"]), ["a"]
    waiting = gevent.spawn(asking.wait, question, 1.0, lambda: running)
    gevent.sleep(0)
    assert not waiting.ready()
    running.clear()
    waiting.get(timeout=TIME_LIMIT)


def test_the_last_answer_of_a_process_that_ends() -> None:
    """It counts although its process has ended before it was read."""
    asking = Asking(PeerStats(), Clock())
    question = asking.begin(["a"])
    waiting = gevent.spawn(asking.wait, question, 1.0, list)
    gevent.sleep(0)
    asking.answered(answer(question, "a", 1))
    waiting.get(timeout=TIME_LIMIT)
    assert question.answers == {"a": 1}


def test_a_silent_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that lets the time pass is waited for shortly, until it is heard of."""
    monkeypatch.setattr(module, "_LOOK_SECONDS", 0.0)
    stats, clock = PeerStats(), Clock(0.05)
    asking = Asking(stats, clock)

    def seconds(limit: float, processes: tuple[str, ...] = ("a",)) -> float:
        begun, question = clock.now, asking.begin(processes)
        asking.wait(question, limit, lambda: ["a", "b"])
        return round(clock.now - begun, 2)

    assert 0.9 <= seconds(0.9) < 1.1
    assert 2.0 <= seconds(2.0) < 2.2, "a short time limit makes nobody silent"
    assert SILENT_SECONDS <= seconds(2.0) < 2 * SILENT_SECONDS
    assert 0.1 <= seconds(0.1) < SILENT_SECONDS
    assert 2.0 <= seconds(2.0, ("a", "b")) < 2.2, "the other one may be slow"
    assert stats.silent == 6
    asking.heard_of("a")
    assert 2.0 <= seconds(2.0) < 2.2


def test_a_silent_process_that_ends() -> None:
    """The names of processes that have ended are forgotten."""
    asking = Asking(PeerStats(), Clock(0.5))
    asking.wait(asking.begin(["a"]), 1.0, lambda: ["a"])
    assert asking._silent == {"a"}
    asking.wait(asking.begin(["b"]), 1.0, list)
    assert asking._silent == set()


def test_answers_that_may_be_lost() -> None:
    """Nobody is called silent whose answer may have been lost with an epoch."""
    asking = Asking(PeerStats(), Clock(0.5))
    question = asking.begin(["a"])
    asking.may_be_lost()
    asking.wait(question, 1.0, lambda: ["a"])
    assert asking._silent == set()


def test_give_up() -> None:
    """All questions end at once when this process leaves."""
    asking = Asking(PeerStats(), Clock())
    waiting = [gevent.spawn(asking.wait, asking.begin(["a"]), 1.0, lambda: ["a"]) for _ in range(2)]
    gevent.sleep(0)
    asking.give_up()
    gevent.joinall(waiting, timeout=TIME_LIMIT, raise_error=True)
    assert all(one.successful() for one in waiting)
