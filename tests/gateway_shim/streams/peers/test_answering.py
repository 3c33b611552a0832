"""Tests of the answers to the questions of other processes."""

from __future__ import annotations

from typing import Any

import gevent
import pytest
from gevent.event import Event as Signal

from gateway_shim.errors import LogUnavailable
from gateway_shim.event_log.parcels import NoParcels
from gateway_shim.streams.peers import answering as module
from gateway_shim.streams.peers.answering import INLINE_BYTES, Answering, pack, unpack
from gateway_shim.streams.peers.note import Note, Role
from gateway_shim.streams.peers.stats import PeerStats
from tests.gateway_shim.hub_errors import soon
from tests.gateway_shim.streams.peers.wire import Wire


class Desk:
    """An Answering, and what it has replied."""

    def __init__(self) -> None:
        self.replies: list[tuple[str, Any]] = []
        self.stats = PeerStats()
        self.answering = Answering(self._reply, self.stats)

    def _reply(self, question: Note, answer: Any) -> None:
        self.replies.append((question.question, answer))

    def ask(self, name: str, kind: str = "k", data: Any = None) -> None:
        """Ask a question."""
        self.answering.answer(Note("p", Role.QUESTION, kind, data, None, name))


def test_each_question_has_its_own_greenlet() -> None:
    """A handler that waits delays no other question; one that fails has nothing to say."""
    desk, gate = Desk(), Signal()
    desk.answering.add("wait", lambda data: gate.wait() and data)
    desk.answering.add("fail", lambda data: 1 // 0)
    desk.answering.add("k", lambda data: data)
    desk.ask("1", "wait", 5)
    desk.ask("2", "fail")
    desk.ask("3", data=7)
    desk.ask("4", "unknown")
    soon(lambda: len(desk.replies) == 3, "the answers")
    gate.set()
    soon(lambda: len(desk.replies) == 4, "the last answer")
    assert desk.replies == [("2", None), ("3", 7), ("4", None), ("1", 5)]


def test_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """So many are answered at the same time, so many wait in order, and the rest is dropped."""
    monkeypatch.setattr(module, "MAX_RUNNING", 2)
    monkeypatch.setattr(module, "MAX_WAITING", 3)
    desk, gate, running = Desk(), Signal(), [0, 0]

    def handle(data: Any) -> Any:
        running[0] += 1
        running[1] = max(running)
        gate.wait()
        running[0] -= 1
        return data

    desk.answering.add("k", handle)
    for number in range(7):
        desk.ask(str(number), data=number)
    gevent.sleep(0)
    assert (running, desk.stats.dropped) == ([2, 2], 2)
    gate.set()
    soon(lambda: len(desk.replies) == 5, "the answers")
    assert sorted(desk.replies) == [(str(number), number) for number in range(5)]
    assert running == [0, 2]
    desk.ask("8", data=8)
    soon(lambda: desk.replies[-1] == ("8", 8), "a later answer")


def test_close() -> None:
    """Questions that are being answered, or wait, end without an answer."""
    desk = Desk()
    desk.answering.add("k", lambda data: Signal().wait())
    desk.ask("1")
    gevent.sleep(0)
    desk.answering.close()
    assert desk.replies == []


def test_a_reply_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """The questions that wait are answered nevertheless."""
    monkeypatch.setattr(module, "MAX_RUNNING", 1)
    told: list[str] = []

    def reply(question: Note, answer: Any) -> None:
        told.append(question.question)
        raise AssertionError("a reply that fails")

    answering = Answering(reply, PeerStats())
    for name in "12":
        answering.answer(Note("p", Role.QUESTION, "k", None, None, name))
    soon(lambda: told == ["1", "2"], "both replies")


@pytest.mark.parametrize("answer", [0, "", [], {}, [None], "x" * (INLINE_BYTES - 2), False])
def test_small_answers(answer: Any) -> None:
    """A small answer is in the note itself, also one that is false."""
    data = pack(answer, NoParcels())
    assert data == [answer]
    assert unpack(data, NoParcels()) == answer


def test_large_answers() -> None:
    """A large answer is a parcel, and the note has only its name."""
    wire = Wire()
    answer = {"items": ["é" * 1000] * 10}
    name = pack(answer, wire)
    assert isinstance(name, str)
    assert list(wire.kept) == [name]
    assert unpack(name, wire) == answer
    assert wire.kept == {}
    assert unpack(name, wire) is None


def test_no_answer(caplog: pytest.LogCaptureFixture) -> None:
    """An answer that cannot be sent is logged, and counts as none."""
    wire = Wire()
    wire.is_full = True
    assert pack(None, wire) is None
    assert caplog.records == []
    assert pack("x" * (INLINE_BYTES + 1), wire) is None
    assert pack(object(), wire) is None
    assert len(caplog.records) == 2


@pytest.mark.parametrize("data", [None, 1, {}, [], [1, 2], "gone"])
def test_damaged_answers(data: Any) -> None:
    """Data that is not an answer counts as none."""
    assert unpack(data, Wire()) is None


def test_damaged_parcel() -> None:
    """A parcel that is not JSON is no answer."""
    wire = Wire()
    assert unpack(wire.put(b'{"cut'), wire) is None


def test_no_parcels() -> None:
    """A process that is alone takes none."""
    with pytest.raises(LogUnavailable):
        NoParcels().put(b"")
