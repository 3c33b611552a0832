"""Reads the state of tasks together with the cursor from which a browser must follow the events.

A page reads the state of its tasks and opens a stream. An event between the two would be missed if
the stream began at the newest event. So each answer names a cursor, with which the stream can be
opened. The cursor is read before the state: an event that comes in between is told twice, in the
state and by the stream, but is never missed.
"""

from __future__ import annotations

import json
from typing import Protocol

from app.tasks.page import TaskPage
from app.tasks.service import TaskService

__all__ = ["CursorSource", "TaskStateReader"]


class CursorSource(Protocol):
    """The part of a gateway that the reader uses."""

    @property
    def last_event_id(self) -> str | None:
        """The id of the last event that this process has delivered; None without a log."""
        ...


class TaskStateReader:
    """The state of tasks, with cursors.

    Args:
        service: has the tasks.
        gateway: has the cursor.
    """

    def __init__(self, service: TaskService, gateway: CursorSource) -> None:
        self._service = service
        self._gateway = gateway

    def list_tasks(self, limit: int, before: str | None) -> tuple[str | None, TaskPage]:
        """Return the cursor, and one page of the tasks (:meth:`TaskService.list_tasks`)."""
        cursor = self._gateway.last_event_id
        return cursor, self._service.list_tasks(limit, before)

    def get_task_status_json(self, task_id: str) -> bytes:
        """Return the status of a task as JSON, with the field ``last_event_id`` before all others.

        The result is not parsed, because it may be large.

        Raises:
            NotFound: there is no such task, or it was forgotten.
        """
        cursor = self._gateway.last_event_id
        body = self._service.get_task_status_json(task_id)
        # The body is an object with at least one field.
        return b"".join([b'{"last_event_id":', json.dumps(cursor).encode(), b",", body[1:]])
