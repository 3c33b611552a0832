"""``TaskService``: the shutdown of the server."""

from __future__ import annotations

import gevent
import pytest
from gevent.event import Event as Signal

from app.errors import InvalidOperationException
from app.lifecycle import LifetimeEvent
from app.tasks.base import TaskProgressHandle
from tests.app.tasks.task_support import (
    Call,
    CpuBoundCall,
    Done,
    Gate,
    RecordedTasks,
    assert_one_end,
    both_kinds,
    native_sleep,
)
from tests.support.timing import TIME_LIMIT


def test_a_shutdown_refuses_new_tasks_and_cancels_those_in_line() -> None:
    """Running tasks go on within the grace, and waiting tasks are cancelled at once."""
    tasks = RecordedTasks(max_workers=1, grace=TIME_LIMIT)
    gate = Gate()
    tasks.service.start_task(gate)
    tasks.service.start_task(Call(lambda handle: Done()))
    end = gevent.spawn(tasks.coordinator.shutdown)
    tasks.sent("task_cancelled", "t2")
    with pytest.raises(InvalidOperationException, match=r"^The server is shutting down"):
        tasks.service.start_task(Call(lambda handle: Done()))
    assert not end.ready()
    gate.opened.set()
    end.get(timeout=TIME_LIMIT)
    assert tasks.sender.types("t1") == ["task_started", "task_completed"]
    assert tasks.sender.types("t2") == ["task_cancelled"]


def test_a_task_is_refused_from_the_first_moment_of_a_shutdown() -> None:
    """A task is refused even before the service was notified of the shutdown."""
    tasks = RecordedTasks()
    refused: list[LifetimeEvent] = []

    def start(event: LifetimeEvent) -> None:
        if event is LifetimeEvent.PREPARE_SHUTDOWN:
            with pytest.raises(InvalidOperationException):
                tasks.service.start_task(Call(lambda handle: Done()))
            refused.append(event)

    tasks.coordinator._callbacks.insert(0, start)
    tasks.coordinator.shutdown()
    assert refused == [LifetimeEvent.PREPARE_SHUTDOWN]


@both_kinds
def test_a_task_that_outlasts_the_grace_is_cancelled_before_the_streams_end(
    kind: type[Call],
) -> None:
    """The terminal event of a task is sent before later notifications of SHUTDOWN."""
    tasks = RecordedTasks(grace=0.01)
    go_on: list[bool] = []
    at_the_end = []
    tasks.coordinator.register_lifetime_notification(
        lambda event: at_the_end.append((event.value, tasks.sender.types("t1")[-1]))
    )

    def work(handle: TaskProgressHandle) -> Done:
        while not go_on:
            (native_sleep if kind is CpuBoundCall else gevent.sleep)(0.001)
        return Done()

    tasks.service.start_task(kind(work))
    tasks.sent("task_started")
    tasks.coordinator.shutdown()
    go_on.append(True)
    assert at_the_end == [
        ("prepare_shutdown", "task_started"),
        ("shutdown", "task_cancelled"),
        ("after_shutdown", "task_cancelled"),
    ]
    gevent.sleep(0.01)
    assert_one_end(tasks, "t1", "task_cancelled")


def test_the_waiter_of_the_shutdown() -> None:
    """The waiter returns False while a task runs, and True after its terminal event."""
    tasks = RecordedTasks()
    assert tasks.service.wait_for_tasks(0.0) is True
    gate = Gate()
    tasks.service.start_task(gate)
    assert tasks.service.wait_for_tasks(0.0) is False
    gate.opened.set()
    assert tasks.service.wait_for_tasks(TIME_LIMIT) is True
    assert tasks.sender.types("t1")[-1] == "task_completed"


def test_a_sender_that_hangs_delays_the_shutdown_for_a_bounded_time(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A sender that blocks delays the shutdown for a bounded time only."""
    monkeypatch.setattr("app.tasks.service.LAST_EVENTS_SECONDS", 0.01)
    tasks = RecordedTasks()
    release = Signal()
    tasks.sender.during = lambda event: release.wait()
    tasks.service.start_task(Call(lambda handle: Done()))
    tasks.sent("task_started")
    tasks.coordinator.shutdown()
    assert "the last events of some tasks were not sent in time" in caplog.text
    release.set()
    tasks.settle()
