"""``TaskService``: the time limit of a task."""

from __future__ import annotations

import gevent

from app.tasks.base import TaskProgressHandle
from tests.app.tasks.task_support import (
    Call,
    CpuBoundCall,
    Done,
    Gate,
    RecordedTasks,
    assert_one_end,
    native_sleep,
)
from tests.support.timing import wait_until


def test_a_greenlet_past_its_time_limit_fails() -> None:
    """A greenlet that exceeds its time limit is killed, and the error names the limit."""
    tasks = RecordedTasks(timeout_seconds=0.02)
    gate = Gate()
    tasks.run(gate)
    assert tasks.sender.last("t1") == ("task_failed", {"error": "timed out after 0.02 s"})
    assert_one_end(tasks, "t1", "task_failed")


def test_a_native_thread_past_its_time_limit_loses_its_slot_at_once() -> None:
    """The next task runs while the thread still computes, and its late result is ignored."""
    tasks = RecordedTasks(timeout_seconds=0.05, max_workers=1)
    go_on: list[bool] = []
    ended = []

    def runaway(handle: TaskProgressHandle) -> Done:
        while not go_on:
            native_sleep(0.001)
        ended.append(handle.cancelled)
        return Done()

    tasks.run(CpuBoundCall(runaway))
    assert tasks.sender.last("t1") == ("task_failed", {"error": "timed out after 0.05 s"})
    tasks.run(CpuBoundCall(lambda handle: Done()))
    assert tasks.sender.last("t2") == ("task_completed", {"number": 1})
    go_on.append(True)
    wait_until(lambda: ended == [True], "the runaway's end")
    gevent.sleep(0)
    assert_one_end(tasks, "t1", "task_failed")


def test_runaways_on_every_thread_make_later_tasks_wait_only_within_their_limit() -> None:
    """If tasks block all native threads, native tasks time out and greenlets still run."""
    tasks = RecordedTasks(timeout_seconds=0.05, max_workers=1)
    go_on: list[bool] = []
    worked: list[object] = []

    def runaway(handle: TaskProgressHandle) -> Done:
        while not go_on:
            native_sleep(0.001)
        return Done()

    for _ in range(3):  # two threads and the pool's one place in its queue
        tasks.run(CpuBoundCall(runaway))
    for task_id in (tasks.run(CpuBoundCall(worked.append)) for _ in range(2)):
        assert tasks.sender.last(task_id) == ("task_failed", {"error": "timed out after 0.05 s"})
    tasks.run(Call(lambda handle: Done()))
    assert tasks.sender.last("t6") == ("task_completed", {"number": 1})
    go_on.append(True)
    wait_until(lambda: tasks.service._conductor._native.abandoned == 0, "the runaways' end")
    tasks.run(CpuBoundCall(lambda handle: Done()))
    assert tasks.sender.last("t7") == ("task_completed", {"number": 1})
    assert worked == []
