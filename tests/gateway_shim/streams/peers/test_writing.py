"""The notes of a process on their way into the log."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import gevent
import pytest

from gateway_shim.errors import LogUnavailable
from gateway_shim.streams.peers.note import Note, Role
from gateway_shim.streams.peers.stats import PeerStats
from gateway_shim.streams.peers.writing import MAX_TOGETHER, SOON_SECONDS, Writing
from tests.gateway_shim.hub_errors import soon


class Appended:
    """A log that only keeps what is appended, as kinds and data."""

    def __init__(self) -> None:
        self.notes: list[tuple[str, Any]] = []
        self.wait = 0
        self.attempts = 0
        self.is_full = False

    def append(self, data: bytes) -> None:
        """Append a note; lets others run first, as a log that waits for its lock does."""
        self.attempts += 1
        for _ in range(self.wait):
            gevent.sleep(0)
        if self.is_full:
            raise LogUnavailable("no space")
        _, _, role, kind, content, *_ = json.loads(data)
        self.notes.append(("together", content) if role == Role.TOLD_TOGETHER else (kind, content))


@pytest.fixture
def log() -> Appended:
    """Return a log."""
    return Appended()


@pytest.fixture
def writing(log: Appended) -> Writing:
    """Return a writer to the log."""
    writing = Writing(PeerStats(), lambda: "p-1")
    writing.begin(log.append)
    return writing


def test_small_notes_are_written_together(log: Appended, writing: Writing) -> None:
    """They wait for each other for some milliseconds; a single one is an ordinary note."""
    writing.add("a", 1, int)
    writing.add("b", 2, int)
    assert log.notes == []
    soon(lambda: len(log.notes) == 1, "the note")
    writing.add("c", 3, int)
    soon(lambda: len(log.notes) == 2, "the note")
    assert log.notes == [("together", [["a", 1], ["b", 2]]), ("c", 3)]


def test_a_large_note_comes_after_the_small_ones(log: Appended, writing: Writing) -> None:
    """Later notes do not overtake what waits, whoever has to wait for the log."""
    log.wait = 3
    writing.add("a", 1, int)
    gevent.sleep(0)
    writing.add("b", 2, int)
    others = [gevent.spawn(writing.write, Note("p-1", Role.TOLD, "c", number)) for number in (3, 4)]
    gevent.joinall(others)
    assert log.notes == [("together", [["a", 1], ["b", 2]]), ("c", 3), ("c", 4)]
    gevent.sleep(2 * SOON_SECONDS)
    assert len(log.notes) == 3


def test_many_are_several_notes(log: Appended, writing: Writing) -> None:
    """A note has a bounded size."""
    for number in range(2 * MAX_TOGETHER + 1):
        writing.add("k", number, int)
    soon(lambda: len(log.notes) == 3, "the notes")
    assert [len(content) for _, content in log.notes[:2]] == [MAX_TOGETHER] * 2
    assert log.notes[2] == ("k", 2 * MAX_TOGETHER)


def test_no_space(log: Appended, writing: Writing, caplog: pytest.LogCaptureFixture) -> None:
    """A note that cannot be written is reported and counted, and later ones are written again."""
    log.is_full = True
    failed: list[int] = []
    assert not writing.write(Note("p-1", Role.TOLD, "k", 1))
    writing.add("k", 2, lambda: failed.append(2))
    writing.add("k", 3, lambda: failed.append(3))
    soon(lambda: failed == [2, 3], "the failure")
    assert {record.message for record in caplog.records} == {"other processes were not told"}
    log.is_full = False
    assert writing.write(Note("p-1", Role.TOLD, "k", 3))
    assert (log.notes, writing._stats.failed, writing._stats.told) == ([("k", 3)], 2, 1)


def test_a_log_that_is_away_is_tried_twice(log: Appended, writing: Writing) -> None:
    """Not once for each browser that connects meanwhile, or the waits would add up."""
    log.is_full, log.wait = True, 3
    failed: list[int] = []
    for number in range(5 * MAX_TOGETHER):
        writing.add("small", number, partial(failed.append, number))
    notes = [Note("p-1", Role.TOLD, "k", number) for number in range(50)]
    written = [gevent.spawn(writing.write, note) for note in notes]
    gevent.joinall(written)
    assert not any(greenlet.value for greenlet in written)
    assert failed == list(range(5 * MAX_TOGETHER))
    assert log.attempts == 2  # the first one, and one for those that came meanwhile
    assert writing._stats.failed == 5 + 50
    log.is_full = False
    assert writing.write(notes[0])


def test_a_note_that_comes_during_a_failure_is_tried(log: Appended, writing: Writing) -> None:
    """It has not waited for as long as the others, and the log may be there again."""
    log.is_full, log.wait = True, 3
    first = gevent.spawn(writing.write, Note("p-1", Role.TOLD, "k", 1))
    gevent.sleep(0)
    assert log.attempts == 1
    second = gevent.spawn(writing.write, Note("p-1", Role.TOLD, "k", 2))
    first.join()
    log.is_full = False
    gevent.joinall([second])
    assert (first.value, second.value) == (False, True)


def test_small_notes_need_one_greenlet(
    log: Appended, writing: Writing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that come while the log makes another note wait are only kept in the list."""
    spawned: list[Any] = []
    monkeypatch.setattr(gevent, "spawn", spawned.append)
    writing.add("k", 0, int)
    soon(lambda: writing._flush in spawned, "the greenlet")
    writing.add("k", 1, int)
    assert writing._timer is None
    writing._flush()
    assert log.notes == [("together", [["k", 0], ["k", 1]])]
    writing.add("k", 2, int)
    soon(lambda: spawned.count(writing._flush) == 2, "the next greenlet")


def test_the_end(log: Appended, writing: Writing) -> None:
    """After the end, nothing is written, not even what waited."""
    writing.add("k", 1, int)
    writing.end()
    assert not writing.write(Note("p-1", Role.TOLD, "k", 2))
    gevent.sleep(2 * SOON_SECONDS)
    assert log.notes == []
