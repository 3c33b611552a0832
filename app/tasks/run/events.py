"""A task's life as the browsers see it: the ``task_event`` broadcasts."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol

from app.schemas.task_schema import TaskEvent, TaskEventType, TaskProgress, TaskStatus
from app.services.connection_manager import ServiceType
from app.tasks.run.outcome import Outcome

__all__ = ["EVENT_NAME", "EventSender", "TaskEvents", "task_event"]

logger = logging.getLogger(__name__)

EVENT_NAME = "task_event"
"""The SSE event name of everything that tasks send."""

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
    """Return the payload of one ``task_event``, as every browser gets it.

    Args:
        task_id: the task.
        event_type: what happened to it.
        data: the rest, as JSON data.
        now: the time of day, UTC.
        omitted: the fields of a result that were left out of ``data``, if any were.
    """
    event = TaskEvent(
        event_type=event_type, task_id=task_id, timestamp=now, data=data, omitted=omitted
    )
    return event.model_dump(mode="json", exclude=None if omitted else {"omitted"})


class EventSender(Protocol):
    """What tasks need of the connection manager."""

    def send_event(
        self,
        request_id: str | None,
        event_data: dict[str, Any],
        event_name: str,
        service_type: ServiceType,
    ) -> bool:
        """Send to one stream, or to all with None. May block, cooperatively."""
        ...


class TaskEvents:
    """Broadcasts what happens to tasks. Each method may block, cooperatively.

    One task's events are sent by one greenlet, so that their order is that of the calls, and
    never with a lock held. An event that cannot be sent is logged and costs the task nothing.

    Args:
        sender: the connection manager.
        now: the time of day, UTC.
    """

    def __init__(self, sender: EventSender, now: Callable[[], datetime]) -> None:
        self._sender = sender
        self._now = now

    def started(self, task_id: str, task_type: str) -> None:
        """Its turn has come."""
        self._broadcast(task_id, TaskEventType.TASK_STARTED, {"task_type": task_type})

    def progress(self, task_id: str, progress: TaskProgress) -> None:
        """It has reported how far it is."""
        self._broadcast(task_id, TaskEventType.PROGRESS_UPDATE, progress.model_dump())

    def ended(self, task_id: str, outcome: Outcome) -> None:
        """It is over. Call once, as the last of the task."""
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
            # Whatever went wrong there, the task's later events and its slot must not suffer.
            logger.exception(
                "a task event could not be sent",
                extra={"task_id": task_id, "event_type": event_type.value},
            )
