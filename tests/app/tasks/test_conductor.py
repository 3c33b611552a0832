"""TaskConductor: each task ends once, and the line can be closed."""

from __future__ import annotations

import itertools
import time
from datetime import UTC, datetime

import pytest

from app.errors import InvalidOperationException
from app.tasks.base import BaseTask
from app.tasks.conductor import TaskConductor
from app.tasks.run.events import TaskEvents
from app.tasks.run.line import LineLimits
from app.tasks.run.outcome import ResultLimits, TaskOutcome
from app.tasks.run.record import TaskRecord
from app.tasks.run.store import StoreLimits, TaskStore
from app.tasks.servers.notes import TaskNotes
from gateway_shim.streams.peers.peers import Peers
from tests.app.tasks.task_support import (
    Call,
    Done,
    Gate,
    RecordingMetrics,
    RecordingSender,
    ticking,
)
from tests.support.timing import TIME_LIMIT

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class ConductedTasks:
    """A conductor with one slot, and the parts that it needs."""

    def __init__(self) -> None:
        self.sender, self.metrics = RecordingSender(), RecordingMetrics()
        now, self.numbers = ticking(), itertools.count(1)
        self.store = TaskStore(StoreLimits(), time.monotonic)
        self.conductor = TaskConductor(
            TaskEvents(self.sender, now),
            self.store,
            TaskNotes(Peers(), self.store.all),
            self.metrics,
            LineLimits(running=1),
            ResultLimits(),
            TIME_LIMIT,
            clock=time.monotonic,
            now=now,
        )

    def take(self, task: BaseTask) -> TaskRecord:
        """Pass a task to the conductor."""
        record = TaskRecord(f"t{next(self.numbers)}", task, {}, NOW)
        self.conductor.take(record)
        return record


def test_the_next_begins_when_the_last_event_was_sent() -> None:
    """With one slot, a task begins after the terminal event of the task before."""
    tasks = ConductedTasks()
    assert tasks.conductor.wait_until_idle(0)
    for _ in range(2):
        tasks.take(Call(lambda handle: Done()))
    assert tasks.conductor.wait_until_idle(TIME_LIMIT)
    assert [(event["task_id"], event["event_type"]) for event in tasks.sender.sent] == [
        ("t1", "task_started"),
        ("t1", "task_completed"),
        ("t2", "task_started"),
        ("t2", "task_completed"),
    ]
    assert [record.task_id for record in tasks.store.all()] == ["t1", "t2"]


def test_the_first_end_counts() -> None:
    """The second end of a task changes nothing and returns False."""
    tasks = ConductedTasks()
    record = tasks.take(Gate())
    assert tasks.conductor.settle(record, TaskOutcome.timed_out(1.0))
    assert not tasks.conductor.settle(record, TaskOutcome.cancelled())
    assert tasks.conductor.wait_until_idle(TIME_LIMIT)
    assert tasks.sender.types("t1") == ["task_started", "task_failed"]
    assert [status for _, status, _ in tasks.metrics.finished] == ["failed"]


def test_a_closed_line_takes_nothing_more() -> None:
    """Closing the line returns the waiting tasks, and the running task goes on."""
    tasks = ConductedTasks()
    running, waiting = tasks.take(Gate()), tasks.take(Gate())
    assert tasks.conductor.close_line() == [waiting]
    with pytest.raises(InvalidOperationException):
        tasks.take(Gate())
    for record in (waiting, running):
        tasks.conductor.settle(record, TaskOutcome.cancelled())
    assert tasks.conductor.wait_until_idle(TIME_LIMIT)
    assert tasks.sender.types("t2") == ["task_cancelled"]


def test_the_end_of_a_lost_task_is_told() -> None:
    """A task whose process has ended has no slot here; its end is sent, counted and logged."""
    tasks = ConductedTasks()
    record = TaskRecord("t1", Gate(), {}, NOW)
    record.begin(NOW, 1.0)
    record.end(TaskOutcome.lost(had_begun=True), NOW, 3.0)
    tasks.conductor.tell_lost(record)
    assert tasks.sender.types("t1") == ["task_failed"]
    assert tasks.metrics.finished == [("gate", "failed", 2.0)]
    assert tasks.conductor.wait_until_idle(0)


def test_an_end_that_its_process_did_not_tell_is_not_counted_again() -> None:
    """The process that has ended has counted and logged the end of the task."""
    tasks = ConductedTasks()
    record = TaskRecord("t1", Gate(), {}, NOW)
    record.end(TaskOutcome.cancelled(), NOW, 3.0)
    tasks.conductor.tell_lost(record)
    assert (tasks.sender.types("t1"), tasks.metrics.finished) == (["task_cancelled"], [])
