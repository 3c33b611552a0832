"""``TaskService``: its limits: the slots, the line of waiting tasks, and the time of a task."""

from __future__ import annotations

from collections.abc import Callable

import gevent
import pytest

from app.errors import TooBusy
from app.tasks.base import TaskProgressHandle
from app.tasks.run import body
from app.tasks.run.outcome import TaskOutcome
from app.tasks.run.record import TaskOrigin
from app.tasks.run.time_limit import end_overdue_task
from tests.app.tasks.task_support import (
    Call,
    CpuBoundCall,
    Done,
    Gate,
    RecordedTasks,
    assert_one_end,
    native_sleep,
)
from tests.support.timing import TIME_LIMIT, wait_until


def test_at_most_as_many_tasks_as_slots_run() -> None:
    """With three slots, three of nine tasks run at a time, in the order of their starts."""
    tasks = RecordedTasks(max_workers=3)
    running, most, order = 0, 0, []

    def work(handle: TaskProgressHandle, number: int) -> Done:
        nonlocal running, most
        running += 1
        most = max(most, running)
        order.append(number)
        gevent.sleep(0)
        running -= 1
        return Done()

    statuses = [tasks.service.start_task(Call(work), number=n).status for n in range(9)]
    assert statuses == ["running"] * 3 + ["pending"] * 6
    tasks.settle()
    assert (most, order) == (3, list(range(9)))


def test_a_slot_is_free_only_when_the_terminal_event_was_sent() -> None:
    """With one slot, a task begins after the terminal event of the task before."""
    tasks = RecordedTasks(max_workers=1)
    tasks.sender.during = lambda event: gevent.sleep(0)
    for _ in range(3):
        tasks.service.start_task(Call(lambda handle: Done()))
    tasks.settle()
    assert [(event["task_id"], event["event_type"]) for event in tasks.sender.sent] == [
        (task_id, event_type)
        for task_id in ("t1", "t2", "t3")
        for event_type in ("task_started", "task_completed")
    ]


def test_a_full_line_refuses_a_task() -> None:
    """A full line refuses a task with its limit."""
    tasks = RecordedTasks(max_workers=1, max_waiting=1)
    gate = Gate()
    tasks.service.start_task(gate)
    tasks.service.start_task(Call(lambda handle: Done()))
    with pytest.raises(
        TooBusy, match=r"^The line of waiting tasks is full \(limit 1\); try again later$"
    ):
        tasks.service.start_task(Call(lambda handle: Done()))
    gate.opened.set()
    tasks.settle()
    assert len(tasks.service.list_tasks().tasks) == 2


def test_one_client_cannot_lock_the_others_out() -> None:
    """A client with endless tasks does not delay the task of another client."""
    tasks = RecordedTasks(max_workers=4, per_client=10)
    origin = TaskOrigin("192.0.2.1")
    for _ in range(10):
        tasks.service.start_task_for(origin, Gate())
    with pytest.raises(
        TooBusy, match=r"^Your address has reached its limit of 10 unfinished tasks;"
    ):
        tasks.service.start_task_for(origin, Gate())
    assert tasks.refusals.by_reason["tasks_per_address"] == 1
    other = tasks.service.start_task_for(TaskOrigin("192.0.2.2"), Call(lambda handle: Done()))
    assert other.status == "running"
    tasks.sent("task_completed", other.task_id)
    assert tasks.service.start_task(Call(lambda handle: Done())).status == "running"
    tasks.end()


# ------------------------------------------------------------------ the time limit


class Runaways:
    """A function of tasks that compute on native threads until the test lets them go on.

    A busy machine may start a thread late, and a task that is over before its thread begins
    computes nothing. So each time limit begins when the threads compute.

    Attributes:
        go_on: whether the tasks may end.
        ended: what each task was told about its cancel when it ended.
    """

    threads = 2  # of a service with one slot

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.go_on = False
        self.ended: list[bool] = []
        self._begun: list[TaskProgressHandle] = []
        self._limits = 0
        monkeypatch.setattr(body, "start_time_limit", self._start_time_limit)

    def __call__(self, handle: TaskProgressHandle) -> Done:
        """Compute."""
        self._begun.append(handle)
        while not self.go_on:
            native_sleep(0.001)
        self.ended.append(handle.cancelled)
        return Done()

    def _start_time_limit(
        self, seconds: float, settle: Callable[[TaskOutcome], object]
    ) -> gevent.Greenlet[..., None]:
        self._limits += 1
        expected = min(self._limits, self.threads)

        def limit() -> None:
            wait_until(lambda: len(self._begun) >= expected, "the threads")
            gevent.sleep(seconds)
            end_overdue_task(seconds, settle)

        return gevent.spawn(limit)


def lift_time_limit(tasks: RecordedTasks) -> None:
    """Give later tasks all the time that a busy machine needs."""
    tasks.service._conductor._timeout_seconds = TIME_LIMIT


def test_a_greenlet_past_its_time_limit_fails() -> None:
    """A greenlet that exceeds its time limit is killed, and the error names the limit."""
    tasks = RecordedTasks(timeout_seconds=0.02)
    gate = Gate()
    tasks.run(gate)
    assert tasks.sender.last("t1") == ("task_failed", {"error": "timed out after 0.02 s"})
    assert_one_end(tasks, "t1", "task_failed")


def test_a_native_thread_past_its_time_limit_loses_its_slot_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The next task runs while the thread still computes, and its late result is ignored."""
    runaway = Runaways(monkeypatch)
    tasks = RecordedTasks(timeout_seconds=0.05, max_workers=1)
    tasks.run(CpuBoundCall(runaway))
    assert tasks.sender.last("t1") == ("task_failed", {"error": "timed out after 0.05 s"})
    lift_time_limit(tasks)
    tasks.run(CpuBoundCall(lambda handle: Done()))
    assert tasks.sender.last("t2") == ("task_completed", {"number": 1})
    assert runaway.ended == []
    runaway.go_on = True
    wait_until(lambda: runaway.ended == [True], "the runaway's end")
    gevent.sleep(0)
    assert_one_end(tasks, "t1", "task_failed")


def test_runaways_on_every_thread_make_later_tasks_wait_only_within_their_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If tasks block all native threads, native tasks time out and greenlets still run."""
    runaway = Runaways(monkeypatch)
    tasks = RecordedTasks(timeout_seconds=0.05, max_workers=1)
    worked: list[object] = []
    for _ in range(runaway.threads + 1):  # and the pool's one place in its queue
        tasks.run(CpuBoundCall(runaway))
    for task_id in (tasks.run(CpuBoundCall(worked.append)) for _ in range(2)):
        assert tasks.sender.last(task_id) == ("task_failed", {"error": "timed out after 0.05 s"})
    lift_time_limit(tasks)
    tasks.run(Call(lambda handle: Done()))
    assert tasks.sender.last("t6") == ("task_completed", {"number": 1})
    runaway.go_on = True
    wait_until(lambda: tasks.service._conductor._native.abandoned == 0, "the runaways' end")
    tasks.run(CpuBoundCall(lambda handle: Done()))
    assert tasks.sender.last("t7") == ("task_completed", {"number": 1})
    assert worked == []
