"""A task's life as the browsers see it: the ``task_event`` broadcasts."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol

from app.schemas.task_schema import TaskEvent, TaskEventType, TaskProgress, TaskStatus
from app.services.connection_manager import ServiceType
from app.services.task_outcome import Outcome

__all__ = ["EVENT_NAME", "EventSender", "TaskEvents"]

logger = logging.getLogger(__name__)

EVENT_NAME = "task_event"
"""The SSE event name of everything that tasks send."""

_TERMINAL = {
    TaskStatus.COMPLETED: TaskEventType.TASK_COMPLETED,
    TaskStatus.FAILED: TaskEventType.TASK_FAILED,
    TaskStatus.CANCELLED: TaskEventType.TASK_CANCELLED,
}


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
        event = TaskEvent(
            event_type=event_type,
            task_id=task_id,
            timestamp=self._now(),
            data=data,
            omitted=omitted,
        )
        payload = event.model_dump(mode="json", exclude=None if omitted else {"omitted"})
        try:
            self._sender.send_event(None, payload, EVENT_NAME, ServiceType.TASK)
        except Exception:
            # Whatever went wrong there, the task's later events and its slot must not suffer.
            logger.exception(
                "a task event could not be sent",
                extra={"task_id": task_id, "event_type": event_type.value},
            )
