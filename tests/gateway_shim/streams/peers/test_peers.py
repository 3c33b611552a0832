"""Tests of what processes tell and ask each other."""

from __future__ import annotations

import json
import timeit
from typing import Any

import gevent
import pytest
from gevent.event import Event as Signal

from gateway_shim.streams.peers.answering import INLINE_BYTES
from gateway_shim.streams.peers.note import Note
from gateway_shim.streams.peers.peers import MAX_NOTE_BYTES, Answer, Peers
from tests.gateway_shim.hub_errors import soon
from tests.gateway_shim.streams.peers.wire import Wire


def test_tell_and_ask(wire: Wire) -> None:
    """All others are told in one order, and answer questions."""
    first, second, third = (wire.join() for _ in range(3))
    told: list[tuple[str, str, Any]] = []
    for log in (first, second, third):
        name = log.process
        log.peers.when_told("k", lambda sender, data, name=name: told.append((name, sender, data)))
        log.peers.when_asked("sum", lambda data, name=name: [name, sum(data)])
        log.start()
    assert first.peers.are_there
    assert first.peers.tell("k", {"a": 1})
    assert second.peers.tell("k", 2)
    soon(lambda: len(told) == 4, "the notes")
    for name, expected in (
        ("p-1", [("p-2", 2)]),
        ("p-2", [("p-1", {"a": 1})]),
        ("p-3", [("p-1", {"a": 1}), ("p-2", 2)]),
    ):
        assert [(sender, data) for who, sender, data in told if who == name] == expected
    answers = [Answer("p-2", ["p-2", 3]), Answer("p-3", ["p-3", 3])]
    assert sorted(first.peers.ask("sum", [1, 2])) == answers
    assert first.peers.ask("sum", [1, 2], to="p-3") == answers[1:]
    assert first.peers.ask("sum", [1, 2], to="p-9") == []
    assert first.peers.ask("unknown") == []


def test_own_notes(wire: Wire) -> None:
    """A handler that wants them gets its own notes, too, in one order with those of others."""
    first, second = wire.join(), wire.join()
    told: dict[str, list[tuple[str, Any]]] = {"p-1": [], "p-2": []}
    for log in (first, second):
        log.peers.when_told("k", lambda *note, own=told[log.process]: own.append(note), own=True)
        log.peers.when_told("other", lambda *note, own=told[log.process]: own.append(note))
        log.start()
    assert (first.peers.others(), Peers().others()) == (["p-2"], [])
    for number in range(3):
        first.peers.tell("k", number)
        second.peers.tell("k", number)
    first.peers.tell("other", 9)
    soon(lambda: len(told["p-2"]) == 7 and len(told["p-1"]) == 6, "the notes")
    assert told["p-2"] == [*told["p-1"], ("p-1", 9)]
    assert told["p-1"] == [(name, number) for number in range(3) for name in ("p-1", "p-2")]


def test_told_soon(wire: Wire) -> None:
    """All that is told in one round is one entry, and arrives in order at the handlers."""
    first, second = wire.join(), wire.join()
    told: dict[str, list[Any]] = {"p-1": [], "p-2": []}
    for log in (first, second):
        own = told[log.process]
        log.peers.when_told("own", lambda sender, data, own=own: own.append(data), own=True)
        log.peers.when_told("k", lambda sender, data, own=own: own.append(data))
        log.start()
    before = len(wire.entries)
    for number in range(3):
        first.peers.tell_soon("k", number, int)
        first.peers.tell_soon("own", -number, int)
        first.peers.tell_soon("unknown", number, int)
    soon(lambda: len(told["p-2"]) == 6 and len(told["p-1"]) == 3, "the notes")
    assert told == {"p-1": [0, -1, -2], "p-2": [0, 0, 1, -1, 2, -2]}
    assert len(wire.entries) == before + 1
    second.end()
    first.peers.tell_soon("k", 4, int)
    gevent.sleep(0)
    assert len(wire.entries) == before + 1


def test_alone(wire: Wire) -> None:
    """Without others, nothing is written; without a log, there is no name."""
    peers = Peers()
    assert (peers.process, peers.are_there, peers.tell("k", 1), peers.ask("k")) == (
        "",
        False,
        True,
        [],
    )
    log = wire.join()
    peers = log.start()
    assert (peers.process, peers.are_there, peers.tell("k", 1), peers.ask("k")) == (
        "p-1",
        False,
        True,
        [],
    )
    assert wire.entries == []


def test_those_that_are_cut_off(wire: Wire) -> None:
    """A process that takes itself for the only one can leave a note for those that come back."""
    log, told = wire.join(), list[Any]()
    log.peers.when_told("k", lambda *note: told.append(note), own=True)
    peers = log.start()
    assert peers.tell("k", 1, always=True)
    soon(lambda: told == [("p-1", 1)], "the own note")
    assert len(wire.entries) == 1
    assert not Peers().tell("k", 1, always=True)  # there is no log


def test_a_question_follows_the_notes_before_it(wire: Wire) -> None:
    """A process that tells and then asks gets an answer that knows the note."""
    first, second = wire.join(), wire.join()
    state: list[int] = []

    def handle(sender: str, data: int) -> None:
        gevent.sleep(0.002)
        state.append(data)

    second.peers.when_told("k", handle)
    second.peers.when_asked("state", lambda data: state)
    for log in (first, second):
        log.start()
    for number in range(3):
        first.peers.tell("k", number)
    assert first.peers.ask("state") == [Answer("p-2", [0, 1, 2])]


def test_a_handler_of_notes_that_asks(wire: Wire) -> None:
    """It gets its answers: they do not wait behind the note."""
    first, second = wire.join(), wire.join()
    got: list[list[Answer]] = []
    second.peers.when_told("k", lambda sender, data: got.append(second.peers.ask("q", data)))
    first.peers.when_asked("q", lambda data: data + 1)
    for log in (first, second):
        log.start()
    first.peers.tell("k", 1)
    soon(lambda: got == [[Answer("p-1", 2)]], "the answer")


def test_large_answers(wire: Wire) -> None:
    """They do not go through the log, and nothing is left of them."""
    first, second = wire.join(), wire.join()
    second.peers.when_asked("q", lambda data: "é" * data)
    for log in (first, second):
        log.start()
    assert first.peers.ask("q", 3_000_000) == [Answer("p-2", "é" * 3_000_000)]
    assert max(map(len, wire.entries)) < INLINE_BYTES
    assert wire.kept == {}


def test_a_process_that_ends_while_it_is_asked(wire: Wire) -> None:
    """The answers of the others are there at once."""
    first, second, third = (wire.join() for _ in range(3))
    asked = Signal()
    second.peers.when_asked("q", lambda data: asked.set() or Signal().wait())  # type: ignore[func-returns-value]
    third.peers.when_asked("q", lambda data: 3)
    for log in (first, second, third):
        log.start()
    asking = gevent.spawn(first.peers.ask, "q", seconds=3600.0)
    asked.wait()
    second.end()
    soon(asking.ready, "the answers")
    assert asking.value == [Answer("p-3", 3)]
    assert first.peers.stats.silent == 0


def test_a_process_that_is_stopped(wire: Wire) -> None:
    """It costs its asker the time limit, and gives no answer."""
    first, second, third = (wire.join() for _ in range(3))
    third.peers.when_asked("q", lambda data: 3)
    for log in (first, second, third):
        log.start()
    second.is_stopped = True
    assert first.peers.ask("q", seconds=0.05) == [Answer("p-3", 3)]
    assert first.peers.stats.silent == 1


@pytest.mark.parametrize("data", [object(), "x" * MAX_NOTE_BYTES, float])
def test_what_cannot_be_told(wire: Wire, data: Any, caplog: pytest.LogCaptureFixture) -> None:
    """It is refused, logged and counted."""
    first, second = wire.join().start(), wire.join().start()
    assert not first.tell("k", data)
    assert first.ask("k", data) == []
    assert first.stats.failed == len(caplog.records) == 2
    assert second.stats.heard == 0


def test_no_space(wire: Wire, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing raises while the log takes no notes; later it works again."""
    first, second = wire.join(), wire.join()
    second.peers.when_asked("q", lambda data: data)
    for log in (first, second):
        log.start()
    wire.is_full = True
    assert not first.peers.tell("k", 1)
    assert first.peers.ask("q", 1) == []
    assert first.peers.stats.failed == 2
    wire.is_full = False
    assert first.peers.tell("k", 1)
    assert first.peers.ask("q", 1) == [Answer("p-2", 1)]


def test_foreign_notes(wire: Wire) -> None:
    """Notes of another version are ignored, and notes of an unknown kind are not kept."""
    first = wire.join()
    peers = first.start()
    for data in (b"", b"\xff", b"[]", b'[2,"p","t","k",1,null,""]', b"[" * 50_000):
        peers.noted(data)
    peers.noted(json.dumps([1, "p", "t", "unknown", 1, None, ""]).encode())
    peers.noted(json.dumps([1, "p", "a", "k", [1], "p-1", "unknown"]).encode())
    assert (peers.stats.ignored, peers.stats.heard) == (5, 2)
    assert not peers._inbox._notes


def test_an_unexpected_error(
    wire: Wire, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It never reaches the delivery of events, which would stand still at this entry."""
    peers = wire.join().start()
    monkeypatch.setattr(Note, "decode", lambda data: 1 // 0)
    peers.noted(b"any")
    assert len(caplog.records) == 1


def test_another_name(wire: Wire) -> None:
    """A process whose files were removed has another name, and knows its notes by both."""
    first, second = wire.join(), wire.join()
    heard: list[Any] = []
    for log in (first, second):
        log.peers.when_told("k", lambda sender, data, log=log: heard.append((log.process, data)))
        log.peers.when_asked("q", lambda data: 1)
        log.start()
    first.peers.tell("k", 1)
    first.rename("p-9")
    assert second.peers.ask("q", to="p-9") == [Answer("p-9", 1)]
    first.peers.tell("k", 2)
    first.peers.noted(wire.entries[0])
    soon(lambda: len(heard) == 2, "the notes")
    assert heard == [("p-2", 1), ("p-2", 2)]


def test_close(wire: Wire) -> None:
    """A gateway that stops asks nobody, and answers nobody."""
    first, second = wire.join(), wire.join()
    second.peers.when_asked("q", lambda data: Signal().wait())
    for log in (first, second):
        log.start()
    asking = gevent.spawn(first.peers.ask, "q", seconds=3600.0)
    gevent.sleep(0)
    first.peers.close()
    soon(asking.ready, "the end of the question")
    assert asking.value == []
    assert (first.peers.tell("k", 1), first.peers.ask("q"), first.peers.are_there) == (
        True,
        [],
        False,
    )


def test_are_there_is_cheap(wire: Wire) -> None:
    """It is asked for each connect and each send: it costs no more than a few calls."""
    peers = wire.join().start()
    call = min(timeit.repeat(lambda: None, number=2000, repeat=20))
    assert min(timeit.repeat(lambda: peers.are_there, number=2000, repeat=20)) < 40 * call
