"""What the tests of tasks share: a connection manager that records, a clock, small tasks."""

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
from app.tasks.base import BaseTask
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
    """Monotonic seconds that move only when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """The time now."""
        return self.now


class RecordingSender:
    """A connection manager that keeps what is sent, and may do something while it sends."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.envelopes: set[tuple[Any, ...]] = set()
        self.during: Callable[[dict[str, Any]], None] = lambda event: None

    def send_event(
        self, request_id: str | None, event_data: dict[str, Any], event_name: str, service_type: Any
    ) -> bool:
        """Keep the event, then do what the test wants done meanwhile."""
        self.envelopes.add((request_id, event_name, service_type))
        self.sent.append(event_data)
        self.during(event_data)
        return True

    def of(self, task_id: str) -> list[dict[str, Any]]:
        """The events of one task."""
        return [event for event in self.sent if event["task_id"] == task_id]

    def types(self, task_id: str) -> list[str]:
        """Their types."""
        return [event["event_type"] for event in self.of(task_id)]

    def last(self, task_id: str) -> tuple[str, Any]:
        """Type and data of its last one."""
        event = self.of(task_id)[-1]
        return event["event_type"], event["data"]


class CountingMetrics(NullMetrics):
    """Keeps what is counted of tasks."""

    def __init__(self) -> None:
        self.finished: list[tuple[str, str, float]] = []
        self.active: list[int] = []

    def task_finished(self, task_type: str, status: str, seconds: float) -> None:
        """Keep it."""
        self.finished.append((task_type, status, seconds))

    def tasks_active(self, count: int) -> None:
        """Keep it."""
        self.active.append(count)


class RecordedTasks:
    """A task service and everything around it."""

    def __init__(self, **options: Any) -> None:
        self.sender = RecordingSender()
        self.metrics = CountingMetrics()
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
            new_id=lambda: f"t{next(ids)}",
            line_limits=LineLimits(**line),
            store_limits=StoreLimits(seconds=keep, finished=options.pop("max_finished", 1000)),
            result_limits=ResultLimits(event_bytes=events),
            refusals=self.refusals,
            **{"timeout_seconds": TIME_LIMIT, "now": ticking(), **options},
        )

    def settle(self) -> None:
        """Wait until every task's terminal event was sent."""
        assert self.service.wait_for_tasks(TIME_LIMIT)

    def end(self) -> None:
        """Cancel what still runs or waits: a time limit that passes later is another test's log."""
        self.coordinator.shutdown()
        self.settle()

    def run(self, task: BaseTask, **kwargs: Any) -> str:
        """Run one task to its end; its id."""
        task_id = self.service.start_task(task, **kwargs).task_id
        self.settle()
        return task_id

    def sent(self, event_type: str, task_id: str = "t1") -> None:
        """Wait until such an event was sent."""
        wait_until(lambda: event_type in self.sender.types(task_id), f"{event_type} of {task_id}")


def ticking() -> Callable[[], datetime]:
    """A time of day that is a second later each time it is asked."""
    times: Iterator[datetime] = (
        datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=n) for n in itertools.count()
    )
    return lambda: next(times)


class Gate(BaseTask):
    """Waits until the test opens it."""

    def __init__(self) -> None:
        self.entered = Signal()
        self.opened = Signal()

    def execute(self, progress_handle, **kwargs):
        """Say that it is here, and wait."""
        self.entered.set()
        self.opened.wait()
        return Done()


class Call(BaseTask):
    """Does what the test gives it: a function of the progress handle."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function

    def execute(self, progress_handle, **kwargs):
        """Call the function."""
        return self.function(progress_handle, **kwargs)


class NativeCall(Call):
    """The same on a native thread."""

    cpu_bound = True


def assert_one_end(tasks: RecordedTasks, task_id: str, *ends: str) -> None:
    """Check that a task's one terminal event is its last event, and one of these types."""
    types = tasks.sender.types(task_id)
    assert [t for t in types if t in TERMINAL_EVENTS] == types[-1:]
    assert types[-1] in (ends or TERMINAL_EVENTS)


ENVELOPE = (None, "task_event", ServiceType.TASK)

both_kinds = pytest.mark.parametrize("kind", [Call, NativeCall])
"""Runs a test with a task that is a greenlet and with a task on a native thread."""
