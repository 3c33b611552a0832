"""Tests of the notes that wait for their handlers."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import gevent
import pytest
from gevent.event import Event as Signal

from gateway_shim.streams.peers import inbox as module
from gateway_shim.streams.peers.inbox import Inbox
from gateway_shim.streams.peers.note import Note, Role
from tests.gateway_shim.hub_errors import soon


def note(number: int) -> Note:
    """Return a note."""
    return Note("p", Role.TOLD, "k", number)


Start = Callable[[Callable[[Note], None], Callable[[], None]], Inbox]


@pytest.fixture
def start() -> Iterator[Start]:
    """Return a function that makes an inbox and runs it."""
    greenlets = []

    def make(handle: Callable[[Note], None], overflowed: Callable[[], None]) -> Inbox:
        inbox = Inbox(handle, overflowed)
        greenlets.append(gevent.spawn(inbox.run))
        return inbox

    yield make
    gevent.killall(greenlets)


def test_order(start: Start) -> None:
    """Notes are handled one after the other, also if a handler waits or fails."""
    handled: list[int] = []

    def handle(one: Note) -> None:
        gevent.sleep(0.001 * (3 - one.data))
        handled.append(one.data)
        assert one.data != 1, "a handler that fails"

    inbox = start(handle, lambda: None)
    for number in range(3):
        inbox.put(note(number), 10)
    soon(lambda: len(handled) == 3, "the notes")
    assert handled == [0, 1, 2]
    inbox.put(note(3), 10)
    soon(lambda: handled[-1] == 3, "a later note")


def test_many_in_one(start: Start) -> None:
    """If the handler of one of many notes fails, those after it are handled nevertheless."""
    handled: list[int] = []

    def handle(one: Note) -> None:
        handled.append(one.data)
        assert one.data != 1, "a handler that fails"

    inbox = start(handle, lambda: None)
    inbox.put(Note("p", Role.TOLD_TOGETHER, "", [["k", number] for number in range(3)]), 10)
    soon(lambda: len(handled) == 3, "the notes")
    assert handled == [0, 1, 2]


@pytest.mark.parametrize("limit", ["MAX_NOTES", "MAX_BYTES"])
def test_overflow(
    start: Start,
    limit: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """If too many wait, all are dropped and this is told; later notes are handled."""
    monkeypatch.setattr(module, limit, 3 if limit == "MAX_NOTES" else 30)
    handled: list[int] = []
    dropped: list[int] = []
    gate = Signal()

    def handle(one: Note) -> None:
        gate.wait()
        handled.append(one.data)

    inbox = start(handle, lambda: dropped.append(1))
    inbox.put(note(0), 10)
    gevent.sleep(0)
    for number in range(1, 5):
        inbox.put(note(number), 10)
    assert len(dropped) == 1
    (record,) = caplog.records
    assert record.__dict__["dropped"] == 4
    inbox.put(note(5), 10)
    gate.set()
    soon(lambda: 5 in handled, "the note after the gap")
    assert handled == [0, 5]
    for number in range(6, 9):
        inbox.put(note(number), 10)
    assert len(dropped) == 1, "the dropped notes must not count any more"
