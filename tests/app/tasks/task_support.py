"""Helpers of the tests of tasks: a recorded task service, a clock, small tasks."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from gevent.event import Event as Signal
from gevent.monkey import get_original
from pydantic import BaseModel

from app.lifecycle import ShutdownCoordinator
from app.services.connection_manager import ServiceType
from app.services.metrics_service import NullMetrics
from app.tasks.base import BaseTask, TaskProgressHandle
from app.tasks.run.line import LineLimits
from app.tasks.run.outcome import ResultLimits
from app.tasks.run.store import StoreLimits
from app.tasks.service import TaskService
from gateway_shim.streams.refusal_counts import RefusalCounts
from tests.support.timing import TIME_LIMIT, wait_until

TERMINAL_EVENTS = {"task_completed", "task_failed", "task_cancelled"}

native_sleep = get_original("time", "sleep")


class Done(BaseModel):
    """A result."""

    number: int = 1


class Clock:
    """A clock of monotonic seconds that only the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


class RecordingSender:
    """A connection manager that keeps the sent events, and can call a function meanwhile."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.envelopes: set[tuple[Any, ...]] = set()
        self.during: Callable[[dict[str, Any]], object] = lambda event: None

    def send_event(
        self, request_id: str | None, event_data: dict[str, Any], event_name: str, service_type: Any
    ) -> bool:
        """Keep the event, then call the test's function."""
        self.envelopes.add((request_id, event_name, service_type))
        self.sent.append(event_data)
        self.during(event_data)
        return True

    def of(self, task_id: str) -> list[dict[str, Any]]:
        """Return the events of one task."""
        return [event for event in self.sent if event["task_id"] == task_id]

    def types(self, task_id: str) -> list[str]:
        """Return the types of a task's events."""
        return [event["event_type"] for event in self.of(task_id)]

    def last(self, task_id: str) -> tuple[str, Any]:
        """Return the type and the data of a task's last event."""
        event = self.of(task_id)[-1]
        return event["event_type"], event["data"]


class RecordingMetrics(NullMetrics):
    """Metrics that keep the calls about tasks."""

    def __init__(self) -> None:
        self.finished: list[tuple[str, str, float]] = []
        self.active: list[int] = []
        self.waiting: list[int] = []

    def task_finished(self, task_type: str, status: str, seconds: float) -> None:
        """Keep the arguments."""
        self.finished.append((task_type, status, seconds))

    def tasks_active(self, running: int, waiting: int) -> None:
        """Keep the numbers."""
        self.active.append(running)
        self.waiting.append(waiting)


class RecordedTasks:
    """A task service with a connection manager and metrics that record every call."""

    def __init__(self, **options: Any) -> None:
        self.sender = RecordingSender()
        self.metrics = RecordingMetrics()
        self.coordinator = ShutdownCoordinator(timeout=options.pop("grace", 0.0))
        ids = itertools.count(1)
        line = {
            "running": options.pop("max_workers", 4),
            "waiting": options.pop("max_waiting", 1000),
            "per_client": options.pop("per_client", 100),
        }
        keep = options.pop("keep_seconds", 600.0)
        events = options.pop("max_event_bytes", 256 * 1024)
        self.refusals = RefusalCounts()
        self.service = TaskService(
            self.sender,
            self.metrics,
            self.coordinator,
            line_limits=LineLimits(**line),
            store_limits=StoreLimits(seconds=keep, finished=options.pop("max_finished", 1000)),
            result_limits=ResultLimits(event_bytes=events),
            refusals=self.refusals,
            **{
                "timeout_seconds": TIME_LIMIT,
                "now": ticking(),
                "new_id": lambda: f"t{next(ids)}",
                **options,
            },
        )

    def settle(self) -> None:
        """Wait until the terminal event of every task was sent."""
        assert self.service.wait_for_tasks(TIME_LIMIT)

    def end(self) -> None:
        """Cancel all unfinished tasks, so that none of them logs during a later test."""
        self.coordinator.shutdown()
        self.settle()

    def run(self, task: BaseTask, **kwargs: Any) -> str:
        """Run one task to its end, and return its ID."""
        task_id = self.service.start_task(task, **kwargs).task_id
        self.settle()
        return task_id

    def sent(self, event_type: str, task_id: str = "t1") -> None:
        """Wait until an event of this type was sent."""
        wait_until(lambda: event_type in self.sender.types(task_id), f"{event_type} of {task_id}")


def ticking() -> Callable[[], datetime]:
    """Return a clock of UTC times that advances by a second with each call."""
    times: Iterator[datetime] = (
        datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=n) for n in itertools.count()
    )
    return lambda: next(times)


class Gate(BaseTask):
    """A task that waits until the test opens it."""

    def __init__(self) -> None:
        self.entered = Signal()
        self.opened = Signal()

    def execute(self, progress_handle: TaskProgressHandle, **kwargs: Any) -> BaseModel:
        """Note that the task runs, and wait."""
        self.entered.set()
        self.opened.wait()
        return Done()


class Call(BaseTask):
    """A task that calls a function of the test with the progress handle."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function

    def execute(self, progress_handle: TaskProgressHandle, **kwargs: Any) -> BaseModel:
        """Call the function."""
        result: BaseModel = self.function(progress_handle, **kwargs)
        return result


class CpuBoundCall(Call):
    """A task that calls a function of the test on a native thread."""

    cpu_bound = True


def assert_one_end(tasks: RecordedTasks, task_id: str, *ends: str) -> None:
    """Check that a task's one terminal event is its last event, and one of these types."""
    types = tasks.sender.types(task_id)
    assert [t for t in types if t in TERMINAL_EVENTS] == types[-1:]
    assert types[-1] in (ends or TERMINAL_EVENTS)


ENVELOPE = (None, "task_event", ServiceType.TASK)

both_kinds = pytest.mark.parametrize("kind", [Call, CpuBoundCall])
"""Runs a test with a task that is a greenlet and with a task on a native thread."""
