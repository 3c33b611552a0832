"""What goes over the wire about tasks: requests, answers, and the payload of ``task_event``."""

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
    """Where a task is in its life; :mod:`app.tasks.run.lifecycle` has the transitions."""

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
    """How far a task is.

    Args:
        text: what it does at the moment, for people.
        value: the part that is done, 0.0 to 1.0.
    """

    model_config = ConfigDict(frozen=True)

    text: str = ""
    value: float = Field(default=0.0, ge=0.0, le=1.0)


class TaskEvent(BaseModel):
    """The payload of one ``task_event``, as every browser gets it.

    Args:
        event_type: what happened.
        task_id: to which task.
        timestamp: when it was sent, UTC.
        data: ``task_started``: ``{"task_type"}``; ``progress_update``: ``{"text","value"}``;
            ``task_completed``: the result; ``task_failed``: ``{"error"}``;
            ``task_cancelled``: ``{}``.
        omitted: present only where a result is too large for an event: the fields of it that
            were left out. ``GET /api/tasks/<id>/status`` has them, except those that are too
            large to be kept: its own ``omitted`` names these.
    """

    event_type: TaskEventType
    task_id: str
    timestamp: datetime
    data: Any
    omitted: list[str] | None = None


class TaskStartRequest(BaseModel):
    """The body of ``POST /api/tasks``.

    Args:
        task_type: the name of an offered task.
        params: its parameters by name.
    """

    model_config = ConfigDict(extra="forbid")

    task_type: str
    params: dict[str, Any] = Field(default_factory=dict)


class TaskStartResponse(BaseModel):
    """The answer to a start or a cancel: which task, and its status now.

    Args:
        task_id: the name under which its events arrive.
        status: ``pending`` if it waits for others, ``running`` if its turn came at once.
    """

    task_id: str
    status: TaskStatus


class TaskSummary(BaseModel):
    """One task in a list: everything but its result, which may be large."""

    task_id: str
    task_type: str
    status: TaskStatus
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    progress: TaskProgress
    error: str | None = None


class TaskStatusResponse(TaskSummary):
    """One task with its result, once it is completed.

    Args:
        result: the result.
        omitted: present only where a result is larger than ``TASK_MAX_RESULT_BYTES``: the fields
            of it that were not kept.
    """

    result: Any = None
    omitted: list[str] | None = None


class TaskListResponse(BaseModel):
    """The answer to ``GET /api/tasks``.

    Args:
        tasks: one page of the tasks that are known, newest first.
        next: what ``?before=`` must be for the page that follows; null at the end.
        task_types: the names under which a task can be started.
    """

    tasks: list[TaskSummary]
    next: str | None = None
    task_types: list[str]
