"""The broadcasts of a task's life, as browsers see them: the events ``task_event``."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol

from app.schemas.task_schema import TaskEvent, TaskEventType, TaskProgress, TaskStatus
from app.services.connection_manager import ServiceType
from app.tasks.run.outcome import TaskOutcome

__all__ = ["EVENT_NAME", "EventSender", "TaskEvents", "task_event"]

logger = logging.getLogger(__name__)

EVENT_NAME = "task_event"
"""The SSE event name of all events of tasks."""

_TERMINAL = {
    TaskStatus.COMPLETED: TaskEventType.TASK_COMPLETED,
    TaskStatus.FAILED: TaskEventType.TASK_FAILED,
    TaskStatus.CANCELLED: TaskEventType.TASK_CANCELLED,
}


def task_event(
    task_id: str,
    event_type: TaskEventType,
    data: Any,
    now: datetime,
    omitted: list[str] | None = None,
) -> dict[str, Any]:
    """Return the payload of one ``task_event``.

    Args:
        task_id: the ID of the task.
        event_type: the type of the event.
        data: the data of the event, as JSON data.
        now: the time of day, UTC.
        omitted: the names of the fields of a result that are not in ``data``, or None.
    """
    event = TaskEvent(
        event_type=event_type, task_id=task_id, timestamp=now, data=data, omitted=omitted
    )
    return event.model_dump(mode="json", exclude=None if omitted else {"omitted"})


class EventSender(Protocol):
    """The part of the connection manager that tasks use."""

    def send_event(
        self,
        request_id: str | None,
        event_data: dict[str, Any],
        event_name: str,
        service_type: ServiceType,
    ) -> bool:
        """Send an event to one stream, or to all streams if ``request_id`` is None.

        This may switch to other greenlets.
        """
        ...


class TaskEvents:
    """The sender of the events of all tasks. Each method may switch to other greenlets.

    Call the methods for one task from one greenlet only, so that the events are sent in the order
    of the calls, and never hold a lock. An event that cannot be sent is logged; the task goes on.

    Args:
        sender: the connection manager.
        now: returns the time of day, UTC.
    """

    def __init__(self, sender: EventSender, now: Callable[[], datetime]) -> None:
        self._sender = sender
        self._now = now

    def started(self, task_id: str, task_type: str) -> None:
        """Broadcast that a task has begun."""
        self._broadcast(task_id, TaskEventType.TASK_STARTED, {"task_type": task_type})

    def progress(self, task_id: str, progress: TaskProgress) -> None:
        """Broadcast an update of a task's progress."""
        self._broadcast(task_id, TaskEventType.PROGRESS_UPDATE, progress.model_dump())

    def ended(self, task_id: str, outcome: TaskOutcome) -> None:
        """Broadcast that a task is over. Call this once, as the last call for the task."""
        data: Any = {}
        if outcome.status is TaskStatus.COMPLETED:
            data = outcome.event_data
        elif outcome.status is TaskStatus.FAILED:
            data = {"error": outcome.error}
        self._broadcast(task_id, _TERMINAL[outcome.status], data, outcome.omitted)

    def _broadcast(
        self,
        task_id: str,
        event_type: TaskEventType,
        data: Any,
        omitted: list[str] | None = None,
    ) -> None:
        payload = task_event(task_id, event_type, data, self._now(), omitted)
        try:
            self._sender.send_event(None, payload, EVENT_NAME, ServiceType.TASK)
        except Exception:
            # A failed broadcast must not affect the task's later events or its slot.
            logger.exception(
                "a task event could not be sent",
                extra={"task_id": task_id, "event_type": event_type.value},
            )
