"""``TaskService``: cancelled tasks."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Never

import gevent
import pytest
from gevent.event import Event as Signal

from app.errors import InvalidOperationException
from app.schemas.task_schema import TaskStartResponse, TaskStatus
from app.tasks.base import TaskCancelled, TaskProgressHandle
from tests.app.tasks.task_support import (
    Call,
    CpuBoundCall,
    Done,
    Gate,
    RecordedTasks,
    assert_one_end,
)
from tests.support.timing import TIME_LIMIT, wait_until


def test_a_running_greenlet_is_killed_by_a_cancel() -> None:
    """A cancelled greenlet ends where it waits, and ``task_cancelled`` is its last event."""
    tasks = RecordedTasks()
    gate = Gate()
    tasks.service.start_task(gate)
    gate.entered.wait()
    answer = tasks.service.cancel_task("t1")
    assert answer == TaskStartResponse(task_id="t1", status=TaskStatus.CANCELLED)
    tasks.settle()
    assert tasks.sender.types("t1") == ["task_started", "task_cancelled"]
    assert tasks.sender.last("t1") == ("task_cancelled", {})


def test_a_pending_task_is_cancelled_without_having_begun() -> None:
    """A cancelled pending task gets only ``task_cancelled``, and the next task begins."""
    tasks = RecordedTasks(max_workers=1)
    gate = Gate()
    tasks.service.start_task(gate)
    for _ in range(2):
        tasks.service.start_task(Call(lambda handle: Done()))
    tasks.service.cancel_task("t2")
    tasks.sent("task_cancelled", "t2")
    gate.opened.set()
    tasks.settle()
    assert tasks.sender.types("t2") == ["task_cancelled"]
    assert tasks.sender.types("t3") == ["task_started", "task_completed"]


def test_a_task_cancelled_while_its_start_is_sent_never_works() -> None:
    """A task that is cancelled while its start is sent does no work."""
    tasks = RecordedTasks()
    tasks.sender.during = lambda event: (
        tasks.service.cancel_task("t1") if event["event_type"] == "task_started" else None
    )
    worked = []
    tasks.run(Call(lambda handle: worked.append(1)))
    assert tasks.sender.types("t1") == ["task_started", "task_cancelled"]
    assert worked == []


def test_a_finished_task_cannot_be_cancelled() -> None:
    """Cancelling a finished task is refused with its status."""
    tasks = RecordedTasks()
    tasks.run(Call(lambda handle: Done()))
    with pytest.raises(InvalidOperationException, match=r"^Task t1 is completed already; only a"):
        tasks.service.cancel_task("t1")
    assert_one_end(tasks, "t1", "task_completed")


def test_a_task_may_cancel_itself() -> None:
    """A task that raises TaskCancelled ends as cancelled."""
    tasks = RecordedTasks()

    def work(handle: TaskProgressHandle) -> Never:
        raise TaskCancelled

    tasks.run(Call(work))
    assert tasks.sender.types("t1") == ["task_started", "task_cancelled"]


def test_a_native_thread_learns_of_a_cancel_at_its_next_progress() -> None:
    """A cancelled native task is over at once, and its thread stops at its next progress."""
    tasks = RecordedTasks()
    left = []

    def work(handle: TaskProgressHandle) -> None:
        try:
            while True:
                handle.send_progress("still here", 0.1)
        except TaskCancelled:
            left.append(handle.cancelled)
            raise

    tasks.service.start_task(CpuBoundCall(work))
    tasks.sent("progress_update")
    tasks.service.cancel_task("t1")
    tasks.settle()
    wait_until(lambda: left == [True], "the thread's end")
    assert_one_end(tasks, "t1", "task_cancelled")


def test_progress_that_waits_is_dropped_by_a_cancel_but_not_by_the_end() -> None:
    """A cancel discards waiting progress, and an ordinary end sends it."""
    tasks = RecordedTasks()
    reported = Signal()

    def work(handle: TaskProgressHandle, leave: bool) -> Done:
        for number in range(10):
            handle.send_progress(str(number), 0.0)
        reported.set()
        if not leave:
            gevent.sleep(TIME_LIMIT)
        return Done()

    def cancel_at_first_update(event: dict[str, Any]) -> None:
        if event["event_type"] == "progress_update" and event["task_id"] == "t1":
            reported.wait()
            if tasks.service.get_task_status("t1").status is TaskStatus.RUNNING:
                tasks.service.cancel_task("t1")

    tasks.sender.during = cancel_at_first_update
    tasks.run(Call(work), leave=False)
    assert tasks.sender.types("t1") == ["task_started", "progress_update", "task_cancelled"]
    tasks.run(Call(work), leave=True)
    assert tasks.sender.types("t2") == [
        "task_started",
        *["progress_update"] * 10,
        "task_completed",
    ]


def test_a_greenlet_that_survives_its_cancel_sends_nothing_more() -> None:
    """The progress of a task that ignores its cancel is refused."""
    tasks = RecordedTasks()
    refused = []
    gate = Signal()

    def work(handle: TaskProgressHandle) -> Done:
        with suppress(gevent.GreenletExit):
            gate.wait()
        try:
            handle.send_progress("ghost", 1.0)
        except TaskCancelled as exc:
            refused.append(str(exc))
        return Done()

    tasks.service.start_task(Call(work))
    tasks.sent("task_started")
    gevent.sleep(0)
    tasks.service.cancel_task("t1")
    tasks.settle()
    wait_until(lambda: refused == ["the task is over or must stop"], "the refusal")
    assert tasks.sender.types("t1") == ["task_started", "task_cancelled"]
