"""TaskNotes: what other servers are told of the tasks of a process."""

from __future__ import annotations

from typing import Any

import pytest

from app.tasks.servers import notes
from app.tasks.servers.notes import NOTE, UNFINISHED
from tests.app.tasks.servers.server_support import ServerProcess, Servers
from tests.app.tasks.task_support import Call, Done, Gate
from tests.support.timing import wait_until


def told(process: ServerProcess) -> list[Any]:
    """Return what a process has told about its tasks."""
    return [data for kind, data in process.peers.told if kind == NOTE]


def wait_for_notes(process: ServerProcess, *expected: Any) -> None:
    """Wait until a process has told exactly this."""
    wait_until(lambda: told(process) == list(expected), f"{expected}")


def test_the_notes_of_a_task(servers: Servers) -> None:
    """One when it waits, one when it begins, and one before its terminal event."""
    here, there = servers.process("a", "x"), servers.process("b", "y", max_workers=1)
    gate, seen = Gate(), []
    there.sender.during = lambda event: seen.append((event["event_type"], len(told(there))))
    there.service.start_task(gate)
    there.service.start_task(Call(lambda handle: Done()))
    wait_for_notes(there, {"open": {"b1": True, "b2": False}, "over": []})
    gate.opened.set()
    there.settle()
    assert told(there)[1] == {"open": {}, "over": ["b1"]}
    assert told(there)[-1] == {"open": {}, "over": ["b2"]}
    assert ("task_completed", 2) in seen
    assert there.service._servers.notes._known == set()
    assert told(here) == []


def test_a_short_task_needs_no_note(servers: Servers) -> None:
    """A task that is over before its first note could be written is not mentioned."""
    servers.process("a", "x")
    there = servers.process("b", "y")
    task_id = there.service.start_task(Gate()).task_id
    there.service._servers.notes.ending(task_id)
    assert told(there) == []
    there.service._servers.notes._write()
    assert told(there) == []


def test_notes_that_cannot_be_written(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are written once the log takes them again, with what is true then."""
    monkeypatch.setattr(notes, "RETRY_SECONDS", 0.01)
    servers.process("a", "x")
    there = servers.process("b", "y")
    over = there.service.start_task(Gate()).task_id
    wait_for_notes(there, {"open": {over: True}, "over": []})
    there.peers.is_failing = True
    there.service.cancel_task(over)
    there.sent("task_cancelled", over)
    gone = there.service.start_task(Gate()).task_id
    there.sent("task_started", gone)
    there.service.cancel_task(gone)
    there.sent("task_cancelled", gone)
    stays = there.service.start_task(Gate()).task_id
    wait_until(lambda: stays in told(there)[-1]["open"], "a note")
    assert gone not in told(there)[-1]["open"]
    there.peers.told.clear()
    there.peers.is_failing = False
    wait_until(lambda: there.service._servers.notes._writer is None, "the end of the notes")
    last = told(there)[-1]
    assert (list(last["open"]), over in last["over"]) == ([stays], True)


def test_a_server_that_joins_asks(servers: Servers) -> None:
    """A process without other servers tells nothing, and answers later."""
    there = servers.process("b", "y")
    there.service.start_task(Gate())
    there.service.start_task(Call(lambda handle: Done()))
    there.sent("task_completed", "b2")
    assert there.peers.told == []
    here = servers.process("a", "x")
    assert [answer.data for answer in here.peers.ask(UNFINISHED)] == [{"b1": True}]
    there.service.cancel_task("b1")
    there.sent("task_cancelled", "b1")
    assert told(there) == [{"open": {}, "over": ["b1"]}]
