"""``TaskService``: each task has exactly one terminal event, whatever ends it."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import gevent
import pytest
from gevent.event import Event as Signal
from gevent.monkey import get_original
from gevent.pool import Pool

from app.errors import InvalidOperationException
from app.tasks.base import TaskProgressHandle
from app.tasks.run.time_limit import end_overdue_task
from tests.app.tasks.task_support import (
    Call,
    CpuBoundCall,
    Done,
    RecordedTasks,
    assert_one_end,
    both_kinds,
    native_sleep,
)
from tests.support.timing import TIME_LIMIT


@both_kinds
@pytest.mark.parametrize("order", list(itertools.permutations(["end", "cancel", "time limit"])))
def test_ends_in_the_same_instant(kind: type[Call], order: tuple[str, ...]) -> None:
    """The task, a cancel and the time limit in one turn of the loop give one terminal event."""
    tasks = RecordedTasks()
    go_on = get_original("_thread", "allocate_lock")()
    go_on.acquire()
    gate = Signal()

    def work(handle: TaskProgressHandle) -> Done:
        if kind is CpuBoundCall:
            go_on.acquire(timeout=TIME_LIMIT)
        else:
            gate.wait()
        return Done()

    tasks.service.start_task(kind(work))
    tasks.sent("task_started")
    gevent.sleep(0)
    record = tasks.service._store.find("t1")
    body = record.body
    assert body is not None

    def cancel() -> None:
        with suppress(InvalidOperationException):
            tasks.service.cancel_task("t1")

    def finish() -> None:
        gate.set()
        go_on.release()

    actions: dict[str, Callable[[], None]] = {
        "end": finish,
        "cancel": cancel,
        "time limit": partial(end_overdue_task, body._timeout_seconds, body._settle),
    }
    for name in order:
        gevent.spawn(actions[name])
    tasks.settle()
    assert_one_end(tasks, "t1")
    assert (
        tasks.service.get_task_status("t1").status
        == {
            "task_completed": "completed",
            "task_failed": "failed",
            "task_cancelled": "cancelled",
        }[tasks.sender.types("t1")[-1]]
    )


def test_hundreds_of_tasks_end_once_each() -> None:
    """With cancels, time-outs, results and failures in any order, each task ends once."""
    tasks = RecordedTasks(max_workers=8, timeout_seconds=0.03)
    tasks.sender.during = lambda event: gevent.sleep(0)

    def work(handle: TaskProgressHandle, number: int) -> Done:
        for step in range(number % 7):
            handle.send_progress(str(step), step / 7)
            (native_sleep if number % 2 else gevent.sleep)(0.001 * (number % 5))
        if number % 11 == 0:
            raise ValueError(str(number))
        if number % 13 == 0:
            while not handle.cancelled:
                (native_sleep if number % 2 else gevent.sleep)(0.001)
        return Done(number=number)

    ids = [
        tasks.service.start_task((CpuBoundCall if n % 2 else Call)(work), number=n).task_id
        for n in range(200)
    ]

    def cancel(task_id: str) -> None:
        gevent.sleep(0.0005 * int(task_id[1:]))
        with suppress(InvalidOperationException):
            tasks.service.cancel_task(task_id)

    Pool(50).map(cancel, ids[::3])
    tasks.settle()
    for task_id in ids:
        assert_one_end(tasks, task_id)
    ends = {status for _, status, _ in tasks.metrics.finished}
    assert (ends, len(tasks.metrics.finished)) == ({"completed", "failed", "cancelled"}, 200)


def test_no_lock_is_held_while_an_event_is_sent() -> None:
    """The sender may call the service, from its own or from another greenlet."""
    tasks = RecordedTasks(max_workers=2)
    late: list[str] = []

    def call_back(event: dict[str, Any]) -> None:
        assert not tasks.service._conductor._lock.locked()
        assert not tasks.service._store._lock.locked()

        def calls() -> None:
            tasks.service.list_tasks()
            tasks.service.get_task_status(event["task_id"])
            if len(late) < 3:
                late.append(tasks.service.start_task(Call(lambda handle: Done())).task_id)

        other = gevent.spawn(calls)
        other.get(timeout=TIME_LIMIT)
        if event["task_id"] == "t2" and event["event_type"] == "progress_update":
            tasks.service.cancel_task("t2")
        if event["event_type"] == "task_completed" and event["task_id"] == "t1":
            tasks.service.remove_completed_task("t1")

    tasks.sender.during = call_back

    def work(handle: TaskProgressHandle) -> Done:
        handle.send_progress("on the way", 0.5)
        gevent.sleep(0)
        return Done()

    def report_and_wait(handle: TaskProgressHandle) -> None:
        handle.send_progress("x", 0)
        gevent.sleep(9)

    tasks.service.start_task(Call(work))
    tasks.service.start_task(Call(report_and_wait))
    tasks.settle()
    assert tasks.sender.types("t1")[-1] == "task_completed"
    assert tasks.sender.types("t2")[-1] == "task_cancelled"
    assert [tasks.sender.types(task_id)[-1] for task_id in late] == ["task_completed"] * 3


def test_a_lock_is_an_ordinary_one() -> None:
    """The lock is not reentrant, so that a callback under the lock would fail the test above."""
    assert type(RecordedTasks().service._conductor._lock) is type(threading.Lock())
