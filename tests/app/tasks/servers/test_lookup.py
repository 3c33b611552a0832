"""TaskLookup: who is asked for a task, and how often."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import gevent
import pytest

from app.errors import NotFound, Unavailable
from app.tasks.memory.rows import RowReader
from app.tasks.run.outcome import ResultLimits
from app.tasks.run.record import TaskRecord
from app.tasks.run.store import StoreLimits, TaskStore
from app.tasks.servers import lookup
from app.tasks.servers.lookup import FIND, IDS_AT_ONCE, MAX_ID, TaskLookup
from tests.app.tasks.memory.table_support import completed, running
from tests.support.peers import FakePeers, PeerGroup
from tests.support.timing import TIME_LIMIT


class Process:
    """A process with some tasks."""

    def __init__(self, peers: FakePeers, *records: TaskRecord) -> None:
        self.peers = peers
        self.store = TaskStore(StoreLimits(), time.monotonic)
        reader = RowReader(ResultLimits(), time.monotonic, lambda: datetime.now(UTC))
        self.lookup = TaskLookup(peers, self.store, reader)
        for record in records:
            self.store.add(record)

    def found(self, task_id: str) -> str:
        """Return the process that has a task, or the kind of error."""
        try:
            return self.lookup.find(task_id).process
        except (NotFound, Unavailable) as exc:
            return type(exc).__name__


def test_a_copy_of_a_task() -> None:
    """It has all that its owner knows, except the result."""
    group = PeerGroup()
    here, there = Process(group.join("p1@a")), Process(group.join("p1@b"), running(1), completed(2))
    for task_id, lacks_result in (("t1", False), ("t2", True)):
        copy = here.lookup.find(task_id)
        assert copy.summary() == there.lookup.find(task_id).summary()
        assert (copy.process, copy.is_elsewhere, copy.lacks_result) == ("p1@b", True, lacks_result)
    assert there.peers.asked == []


def test_tasks_that_do_not_exist_cost_few_questions() -> None:
    """Many look-ups at the same time share a question, and the same one is not asked twice."""
    group = PeerGroup()
    here, _ = Process(group.join("p1@a")), Process(group.join("p1@b"), running(1))
    ids = ["t1", *(f"x{number}" for number in range(2 * IDS_AT_ONCE))] * 2
    found = [gevent.spawn(here.found, task_id) for task_id in ids]
    gevent.joinall(found, timeout=TIME_LIMIT)
    assert [task.value for task in found] == (["p1@b"] + ["NotFound"] * 2 * IDS_AT_ONCE) * 2
    assert here.peers.asked == [FIND] * 3


def test_a_silent_process() -> None:
    """It is waited for only if no other process has the task."""
    group = PeerGroup()
    here, _ = Process(group.join("p1@a")), Process(group.join("p1@b"), running(1))
    group.silent.add(group.join("p1@c").process)
    assert (here.found("t1"), here.peers.waits) == ("p1@b", 0)
    assert (here.found("t2"), here.peers.waits) == ("Unavailable", 1)


def test_an_id_that_no_task_has() -> None:
    """A long text is not sent to other servers."""
    group = PeerGroup()
    here, _ = Process(group.join("p1@a")), Process(group.join("p1@b"))
    assert here.found("x" * (MAX_ID + 1)) == "NotFound"
    assert here.peers.asked == []
    assert here.found("\ud800") == "NotFound"
    assert here.peers.asked == [FIND]


def test_too_many_look_ups(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those beyond the limit are refused at once; the others are answered."""
    monkeypatch.setattr(lookup, "MAX_WAITING", 5)
    group = PeerGroup()
    here, _ = Process(group.join("p1@a")), Process(group.join("p1@b"))
    found = [gevent.spawn(here.found, f"x{number}") for number in range(7)]
    gevent.joinall(found, timeout=TIME_LIMIT)
    assert [task.value for task in found] == ["NotFound"] * 5 + ["Unavailable"] * 2


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ([{"process": "p1@b", "task_id": "t1", "number": 1, "summary": "{}"}], "NotFound"),
        ([{"process": "p1@b"}], "Unavailable"),
        ("x", "Unavailable"),
    ],
)
def test_an_answer_of_another_version(
    answer: Any, expected: str, caplog: pytest.LogCaptureFixture
) -> None:
    """An answer that cannot be read is logged, and the next look-up works."""
    group = PeerGroup()
    here, there = Process(group.join("p1@a")), group.join("p1@b")
    there.when_asked(FIND, lambda _: answer)
    assert here.found("t1") == expected
    assert len(caplog.messages) == 1
    Process(there, running(1))
    assert here.found("t1") == "p1@b"
