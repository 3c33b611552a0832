"""TasksElsewhere: who answers for a task, and what a silent process means."""

from __future__ import annotations

import pytest

from app.errors import InvalidOperationException, Unavailable
from app.schemas.task_schema import TaskStatus
from app.tasks.memory.elsewhere import TasksElsewhere
from app.tasks.run.outcome import TaskOutcome
from app.tasks.run.record import TaskRecord
from app.tasks.run.store import StoreLimits, TaskStore
from tests.app.tasks.memory.table_support import NOW, completed, running
from tests.app.tasks.task_support import Clock
from tests.support.peers import PeerGroup


class Process:
    """A process of a group, with tasks."""

    def __init__(self, group: PeerGroup, *records: TaskRecord) -> None:
        self.peers = group.join()
        self.store = TaskStore(StoreLimits(), Clock())
        self.elsewhere = TasksElsewhere(self.peers, self.store, self.settle)
        for record in records:
            self.store.add(record)
            if record.is_over:
                self.store.finished(record)

    def settle(self, record: TaskRecord, outcome: TaskOutcome) -> bool:
        """End a task unless it is over."""
        if record.is_over:
            return False
        record.end(outcome, NOW, 0.0)
        return True


def copy_of(task_id: str) -> TaskRecord:
    """Return a copy of a running task, as the table has it."""
    copy = running(int(task_id[1:]))
    copy.is_elsewhere = True
    return copy


def test_the_process_of_a_task_answers() -> None:
    """A task is cancelled, read and removed by the one process that has it."""
    group = PeerGroup()
    here, _, there = Process(group), Process(group), Process(group, running(1))
    assert here.elsewhere.cancel(copy_of("t1")) is TaskStatus.CANCELLED
    with pytest.raises(InvalidOperationException, match=r"^Task t1 is cancelled already"):
        here.elsewhere.cancel(copy_of("t1"))
    assert there.elsewhere.cancel(copy_of("t1")) is None  # no other process has it
    copy = running(1)
    copy.is_elsewhere = copy.lacks_result = True
    record = there.store.find_own("t1")
    assert record is not None
    assert here.elsewhere.status_json(copy) == record.full_json()


def test_a_task_that_runs_is_not_removed() -> None:
    """The reason is that of the process that has the task."""
    group = PeerGroup()
    here, there = Process(group), Process(group, running(1), completed(2))
    with pytest.raises(InvalidOperationException, match=r"^Task t1 is running; cancel it before"):
        here.elsewhere.remove(copy_of("t1"))
    assert here.elsewhere.remove(copy_of("t2"))
    assert there.store.find_own("t2") is None
    assert not here.elsewhere.remove(copy_of("t2"))


def test_a_silent_process_may_have_the_task() -> None:
    """Its tasks are neither cancelled nor taken for gone; those of others are not affected."""
    group = PeerGroup()
    here, silent, there = Process(group), Process(group), Process(group, running(1))
    group.silent.add(silent.peers.process)
    with pytest.raises(Unavailable, match=r"^Task t2 may be in a process .* try again"):
        here.elsewhere.cancel(copy_of("t2"))
    assert here.peers.waits == 1
    assert here.elsewhere.cancel(copy_of("t1")) is TaskStatus.CANCELLED
    assert here.peers.waits == 1  # the answer of the process that has the task is enough
    silent.peers.leave()
    assert here.elsewhere.cancel(copy_of("t2")) is None
    assert there.elsewhere.cancel(copy_of("t2")) is None


def test_which_tasks_can_be_asked_about() -> None:
    """A task of another process, while there is one; its result only if it is not here."""
    group = PeerGroup()
    here, there = Process(group), Process(group)
    copy = completed(1)
    assert not here.elsewhere.may_have(copy)
    copy.is_elsewhere = True
    assert here.elsewhere.may_have(copy)
    assert here.elsewhere.status_json(copy) is None
    there.peers.leave()
    assert not here.elsewhere.may_have(copy)
    assert here.peers.asked == []
