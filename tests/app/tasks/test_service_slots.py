"""``TaskService``: the slots and the line of waiting tasks."""

from __future__ import annotations

import gevent
import pytest

from app.errors import TooBusy
from app.tasks.run.record import TaskOrigin
from tests.app.tasks.task_support import (
    Call,
    Done,
    Gate,
    RecordedTasks,
)


def test_so_many_run_and_the_rest_wait_in_order():
    """Three slots, nine tasks: never more than three, begun in the order of their starts."""
    tasks = RecordedTasks(max_workers=3)
    running, most, order = 0, 0, []

    def work(handle, number):
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


def test_a_slot_is_free_only_when_the_terminal_event_was_sent():
    """With one slot the next task_started comes after the earlier task's end."""
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


def test_a_full_line_refuses_a_task():
    """The waiting line is bounded, and says so."""
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


def test_one_client_cannot_lock_the_others_out():
    """Four endless tasks and a full line of one client: another's task begins at once."""
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
