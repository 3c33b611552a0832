"""``TaskService``: the life of a task, and its events in their order."""

from __future__ import annotations

import socket
import threading
import time
from datetime import UTC, datetime
from typing import Any

import gevent
from gevent.monkey import get_original

from app.lifecycle import ShutdownCoordinator
from app.schemas.task_schema import TaskStartResponse, TaskStatus
from app.services.metrics_service import NullMetrics
from app.tasks.base import TaskProgressHandle
from app.tasks.service import TaskService
from gateway_shim.event_loop.turns import SLICE_SECONDS
from tests.app.tasks.task_support import (
    ENVELOPE,
    Call,
    Clock,
    CpuBoundCall,
    Done,
    Gate,
    RecordedTasks,
    RecordingSender,
    assert_one_end,
    both_kinds,
    native_sleep,
)
from tests.support.timing import TIME_LIMIT


@both_kinds
def test_a_tasks_whole_life_is_broadcast_in_order(kind: type[Call]) -> None:
    """The start, the progress and the result are broadcast in order, with exact payloads."""
    tasks = RecordedTasks(now=lambda: datetime(2026, 1, 1, tzinfo=UTC))

    def work(handle: TaskProgressHandle, number: int) -> Done:
        handle.send_progress("half", 0.5)
        handle.send_progress_value(0.75)
        handle.send_progress_text("nearly")
        return Done(number=number)

    answer = tasks.service.start_task(kind(work), number=7)
    assert answer == TaskStartResponse(task_id="t1", status=TaskStatus.RUNNING)
    tasks.settle()

    def event(event_type: str, data: object) -> dict[str, Any]:
        return {
            "event_type": event_type,
            "task_id": "t1",
            "timestamp": "2026-01-01T00:00:00Z",
            "data": data,
        }

    name = kind(work).name
    assert tasks.sender.sent == [
        event("task_started", {"task_type": name}),
        event("progress_update", {"text": "half", "value": 0.5}),
        event("progress_update", {"text": "half", "value": 0.75}),
        event("progress_update", {"text": "nearly", "value": 0.75}),
        event("task_completed", {"number": 7}),
    ]
    assert tasks.sender.envelopes == {ENVELOPE}
    assert tasks.service.get_task_status("t1").model_dump(mode="json") == {
        "task_id": "t1",
        "task_type": name,
        "status": "completed",
        "created_at": "2026-01-01T00:00:00Z",
        "started_at": "2026-01-01T00:00:00Z",
        "finished_at": "2026-01-01T00:00:00Z",
        "progress": {"text": "nearly", "value": 0.75},
        "error": None,
        "result": {"number": 7},
        "omitted": None,
    }


def test_a_task_that_reports_without_pause_lets_others_be_served() -> None:
    """A task that reports without a pause does not delay other greenlets for long."""
    tasks = RecordedTasks()
    tasks.sender.during = lambda event: native_sleep(SLICE_SECONDS / 2)
    done = threading.Event()

    def work(handle: TaskProgressHandle) -> Done:
        for _ in range(10_000):
            if done.is_set():
                break
            handle.send_progress("x", 0.5)
        return Done()

    for _ in range(2):
        tasks.service.start_task(Call(work))
    tasks.sent("progress_update")
    reader, writer = socket.socketpair()
    sent = []
    with reader, writer:
        for _ in range(10):
            got = gevent.spawn(reader.recv, 1)
            gevent.sleep(0.001)
            before = len(tasks.sender.sent)
            writer.send(b"x")
            got.join()
            sent.append(len(tasks.sender.sent) - before)
    done.set()
    tasks.settle()
    assert max(sent) < 20


def test_timestamps_never_go_back() -> None:
    """Each event has the time at which it was sent."""
    tasks = RecordedTasks()
    tasks.run(Call(lambda handle: handle.send_progress("x", 0.5) or Done()))
    times = [event["timestamp"] for event in tasks.sender.sent]
    assert times == sorted(set(times))
    assert len(times) == 3


def test_thousands_of_updates_from_a_native_thread_arrive_in_order() -> None:
    """Far more updates than the mailbox holds arrive in order, and then the terminal event."""
    tasks = RecordedTasks()
    count = 5000

    def work(handle: TaskProgressHandle) -> Done:
        for number in range(count):
            handle.send_progress(str(number), number / count)
        return Done()

    tasks.run(CpuBoundCall(work))
    assert [event["data"].get("text") for event in tasks.sender.sent] == [
        None,
        *map(str, range(count)),
        None,
    ]
    assert_one_end(tasks, "t1", "task_completed")


def test_a_native_task_does_not_hold_up_the_hub() -> None:
    """Greenlets run while a task blocks its native thread."""
    tasks = RecordedTasks()
    release = get_original("_thread", "allocate_lock")()
    release.acquire()

    def work(handle: TaskProgressHandle) -> Done:
        return Done(number=int(release.acquire(timeout=TIME_LIMIT)))

    tasks.service.start_task(CpuBoundCall(work))
    tasks.sent("task_started")
    gevent.sleep(0)
    release.release()
    tasks.settle()
    assert tasks.sender.last("t1") == ("task_completed", {"number": 1})


def test_metrics_count_each_end_and_who_runs() -> None:
    """Each end is counted once with its status and duration."""
    clock = Clock()
    tasks = RecordedTasks(clock=clock, max_workers=1)

    def work(handle: TaskProgressHandle) -> Done:
        clock.now += 2.5
        return Done()

    tasks.service.start_task(Call(work))
    tasks.service.start_task(Call(work))
    tasks.service.cancel_task("t2")
    tasks.settle()
    assert sorted(tasks.metrics.finished) == [
        ("call", "cancelled", 0.0),
        ("call", "completed", 2.5),
    ]
    assert max(tasks.metrics.active) == 1
    assert tasks.metrics.active[-1] == 0


def test_a_task_may_be_given_any_parameter_name() -> None:
    """A task may have a parameter with the name ``task``."""
    tasks = RecordedTasks()
    seen = {}

    class Odd(Gate):
        def execute(self, progress_handle: TaskProgressHandle, **kwargs: Any) -> Done:
            seen.update(kwargs)
            return Done()

    tasks.service.start_task(Odd(), task=1, number=2)
    tasks.settle()
    assert tasks.sender.last("t1") == ("task_completed", {"number": 1})
    assert seen == {"task": 1, "number": 2}


def test_ids_and_times_have_real_defaults() -> None:
    """By default, IDs are UUIDs and times are the present time in UTC."""
    service = TaskService(RecordingSender(), NullMetrics(), ShutdownCoordinator(0.0))
    task_id = service.start_task(Call(lambda handle: Done())).task_id
    assert service.wait_for_tasks(TIME_LIMIT)
    shown = service.get_task_status(task_id)
    assert len(task_id) == 36
    assert shown.finished_at is not None
    assert abs(shown.finished_at.timestamp() - time.time()) < TIME_LIMIT
