"""``TaskService``: the status of a task, the list of tasks, and the tasks that are remembered."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime

import pytest

from app.errors import BadRequest, InvalidOperationException, NotFound
from tests.app.tasks.task_support import (
    Call,
    Clock,
    Done,
    Gate,
    RecordedTasks,
)


def test_a_list_comes_in_pages() -> None:
    """The pages show each task once, newest first, even if tasks are forgotten meanwhile."""
    tasks = RecordedTasks(max_finished=7)
    for _ in range(7):
        tasks.run(Call(lambda handle: Done()))
    pages, before = [], None
    while True:
        page = tasks.service.list_tasks(3, before)
        pages.append([task.task_id for task in page.tasks])
        if (before := page.next) is None:
            break
        tasks.run(Call(lambda handle: Done()))
    assert pages == [["t7", "t6", "t5"], ["t4", "t3", "t2"]]


@pytest.mark.parametrize("limit", [0, 101, -1])
def test_a_page_is_bounded(limit: int) -> None:
    """An invalid limit is refused with the allowed range."""
    with pytest.raises(BadRequest, match=rf"^limit is {limit}; it must be from 1 to 100$"):
        RecordedTasks().service.list_tasks(limit)


def test_tasks_started_in_one_microsecond_or_with_the_clock_set_back_are_listed_in_order() -> None:
    """The numbers of tasks differ even if the clock does not advance."""
    hours = itertools.chain(*([hour] * 3 for hour in (5, 5, 3, 3, 6)), itertools.repeat(7))
    times = (datetime(2026, 1, 1, hour, tzinfo=UTC) for hour in hours)
    tasks = RecordedTasks(max_workers=5, now=lambda: next(times))
    for _ in range(5):
        tasks.service.start_task(Gate())
    first = tasks.service.list_tasks(2)
    second = tasks.service.list_tasks(2, first.next)
    third = tasks.service.list_tasks(2, second.next)
    found = [task.task_id for page in (first, second, third) for task in page.tasks]
    assert found == ["t5", "t4", "t3", "t2", "t1"]
    assert third.next is None
    tasks.end()


def test_nothing_large_is_kept_of_a_task_that_is_over() -> None:
    """The parameters and the event's data are freed after the end."""
    tasks = RecordedTasks()
    tasks.run(Call(lambda handle, text: Done()), text="x" * 100_000)
    record = tasks.service._store.find("t1")
    assert record.kwargs == {}
    assert record.outcome is not None
    assert record.outcome.event_data is None
    assert tasks.service.get_task_status("t1").result == {"number": 1}


def test_a_status_as_json_is_the_same() -> None:
    """The status as JSON equals the status model, with and without a result."""
    tasks = RecordedTasks()
    tasks.run(Call(lambda handle: Done(number=7)))
    tasks.service.start_task(Gate())
    for task_id in ("t1", "t2"):
        shown = json.loads(tasks.service.get_task_status_json(task_id))
        expected = tasks.service.get_task_status(task_id).model_dump(mode="json")
        assert shown == {name: value for name, value in expected.items() if name != "omitted"}
    tasks.end()


def test_unknown_tasks_are_not_found() -> None:
    """Each call with an unknown ID raises NotFound."""
    tasks = RecordedTasks()
    for call in (
        tasks.service.get_task_status,
        tasks.service.cancel_task,
        tasks.service.remove_completed_task,
    ):
        with pytest.raises(NotFound, match=r"^There is no task nope; finished tasks"):
            call("nope")


def test_a_finished_task_can_be_removed_and_a_running_one_cannot() -> None:
    """A running task cannot be removed, and a finished task can."""
    tasks = RecordedTasks()
    gate = Gate()
    tasks.service.start_task(gate)
    with pytest.raises(InvalidOperationException, match=r"^Task t1 is running; cancel it before"):
        tasks.service.remove_completed_task("t1")
    gate.opened.set()
    tasks.settle()
    tasks.service.remove_completed_task("t1")
    assert tasks.service.list_tasks().tasks == []


def test_finished_tasks_are_forgotten_after_their_time() -> None:
    """A finished task is forgotten after its time, and a running task is not."""
    clock = Clock()
    tasks = RecordedTasks(clock=clock, keep_seconds=60.0)
    gate = Gate()
    tasks.service.start_task(gate)
    tasks.service.start_task(Call(lambda handle: Done()))
    tasks.sent("task_completed", "t2")
    clock.now += 59.9
    assert [task.task_id for task in tasks.service.list_tasks().tasks] == ["t2", "t1"]
    clock.now += 0.1
    assert [task.task_id for task in tasks.service.list_tasks().tasks] == ["t1"]
    gate.opened.set()
    tasks.settle()
