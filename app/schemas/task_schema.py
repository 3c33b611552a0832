"""The messages about tasks: requests, answers, and the payload of ``task_event``."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "TaskEvent",
    "TaskEventType",
    "TaskListResponse",
    "TaskProgress",
    "TaskStartRequest",
    "TaskStartResponse",
    "TaskStatus",
    "TaskStatusResponse",
    "TaskSummary",
]


class TaskStatus(StrEnum):
    """The state of a task. :mod:`app.tasks.run.lifecycle` has the transitions."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class TaskEventType(StrEnum):
    """The kinds of ``task_event``; the last three are terminal."""

    TASK_STARTED = "task_started"
    PROGRESS_UPDATE = "progress_update"
    TASK_COMPLETED = "task_completed"
    TASK_FAILED = "task_failed"
    TASK_CANCELLED = "task_cancelled"


class TaskProgress(BaseModel):
    """The progress of a task.

    Args:
        text: the present step of the task, for people.
        value: the part that is done, 0.0 to 1.0.
    """

    model_config = ConfigDict(frozen=True)

    text: str = ""
    value: float = Field(default=0.0, ge=0.0, le=1.0)


class TaskEvent(BaseModel):
    """The payload of one ``task_event``, as every browser gets it.

    Args:
        event_type: the kind of event.
        task_id: the id of the task.
        timestamp: the time at which the event was sent, UTC.
        data: ``task_started``: ``{"task_type"}``; ``progress_update``: ``{"text","value"}``;
            ``task_completed``: the result; ``task_failed``: ``{"error"}``;
            ``task_cancelled``: ``{}``.
        omitted: the fields of the result that were left out. It is present only if the result is
            too large for an event. ``GET /api/tasks/<id>/status`` has these fields, except those
            that are too large to be kept; its own ``omitted`` names them.
    """

    event_type: TaskEventType
    task_id: str
    timestamp: datetime
    data: Any
    omitted: list[str] | None = None


class TaskStartRequest(BaseModel):
    """The body of ``POST /api/tasks``.

    Args:
        task_type: the name of a task that is offered.
        params: the parameters of the task by name.
    """

    model_config = ConfigDict(extra="forbid")

    task_type: str
    params: dict[str, Any] = Field(default_factory=dict)


class TaskStartResponse(BaseModel):
    """The answer to the start or the cancellation of a task.

    Args:
        task_id: the id of the task, which its events carry.
        status: the present status: after a start, ``pending`` if the task waits for others, else
            ``running``.
    """

    task_id: str
    status: TaskStatus


class TaskSummary(BaseModel):
    """A task in a list, without its result, which may be large."""

    task_id: str
    task_type: str
    status: TaskStatus
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    progress: TaskProgress
    error: str | None = None


class TaskStatusResponse(TaskSummary):
    """A task, with its result if it is completed.

    Args:
        result: the result.
        omitted: the fields of the result that were not kept. It is present only if the result is
            larger than ``TASK_MAX_RESULT_BYTES``, or was not saved by a process that has ended.
    """

    result: Any = None
    omitted: list[str] | None = None


class TaskListResponse(BaseModel):
    """The answer to ``GET /api/tasks``.

    Args:
        tasks: one page of the tasks, newest first.
        next: the value of ``?before=`` for the next page; null on the last page.
        task_types: the names of the tasks that can be started.
        last_event_id: the id of the last event before the tasks were read. A stream that is opened
            with it gets every later event; null if events are not replayed.
        incomplete: true if a server of several has not answered in time, so that its tasks are
            missing.
    """

    tasks: list[TaskSummary]
    next: str | None = None
    task_types: list[str]
    last_event_id: str | None = None
    incomplete: bool = False
