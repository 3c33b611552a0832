"""One task as the service keeps it: its status, what it reported, how it ended.

::

    PENDING ──▶ RUNNING ──▶ COMPLETED | FAILED | CANCELLED
       └───────────────────────────────────────▶ CANCELLED
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from app.schemas.task_schema import TaskProgress, TaskStatus, TaskStatusResponse, TaskSummary
from app.tasks.base import BaseTask
from app.tasks.run.outcome import Outcome

if TYPE_CHECKING:
    from app.tasks.run.body import TaskBody

__all__ = ["TRANSITIONS", "InvalidTaskTransition", "TaskOrigin", "TaskRecord"]

TRANSITIONS: dict[TaskStatus, frozenset[TaskStatus]] = {
    TaskStatus.PENDING: frozenset({TaskStatus.RUNNING, TaskStatus.CANCELLED}),
    TaskStatus.RUNNING: frozenset({TaskStatus.COMPLETED, TaskStatus.FAILED, TaskStatus.CANCELLED}),
    TaskStatus.COMPLETED: frozenset(),
    TaskStatus.FAILED: frozenset(),
    TaskStatus.CANCELLED: frozenset(),
}
"""Which status may follow which; a status that nothing follows is terminal."""


class InvalidTaskTransition(Exception):
    """Our own mistake: a status that may not follow the present one. Nothing was changed."""

    def __init__(self, old: TaskStatus, new: TaskStatus) -> None:
        super().__init__(f"a task that is {old} cannot become {new}")
        self.old = old
        self.new = new


@dataclass(frozen=True, slots=True)
class TaskOrigin:
    """Where a task comes from, for the limits.

    Args:
        client: what the client that has started it is counted as; empty: it is not counted.
        params_bytes: the size of its parameters as JSON.
    """

    client: str = ""
    params_bytes: int = 0


@dataclass(eq=False, slots=True)
class TaskRecord:
    """One task.

    Args:
        task_id: the name under which its events arrive.
        task: what runs.
        kwargs: its parameters.
        created_at: when it was accepted, UTC.
        number: its place among all tasks in the order of their starts.
        origin: where it comes from.
    """

    task_id: str
    task: BaseTask
    kwargs: dict[str, Any]
    created_at: datetime
    number: int = 0
    origin: TaskOrigin = TaskOrigin()
    status: TaskStatus = TaskStatus.PENDING
    started_at: datetime | None = None
    finished_at: datetime | None = None
    started_clock: float | None = None
    finished_clock: float | None = None
    progress: TaskProgress = field(default_factory=TaskProgress)
    outcome: Outcome | None = None
    body: TaskBody | None = None

    @property
    def is_over(self) -> bool:
        """Whether its status is terminal."""
        return not TRANSITIONS[self.status]

    @property
    def seconds(self) -> float:
        """How long it ran; 0.0 if it never did or has not ended."""
        if self.started_clock is None or self.finished_clock is None:
            return 0.0
        return self.finished_clock - self.started_clock

    @property
    def result_bytes(self) -> int:
        """The size of its result as JSON; 0 if it has none."""
        return len(self._result_json)

    @property
    def _result_json(self) -> bytes:
        return (self.outcome.result_json if self.outcome is not None else None) or b""

    def begin(self, now: datetime, clock: float) -> None:
        """Its turn has come.

        Raises:
            InvalidTaskTransition: it is not pending.
        """
        self._move(TaskStatus.RUNNING)
        self.started_at, self.started_clock = now, clock

    def end(self, outcome: Outcome, now: datetime, clock: float) -> None:
        """It is over.

        Raises:
            InvalidTaskTransition: its status does not allow that end.
        """
        self._move(outcome.status)
        self.outcome, self.finished_at, self.finished_clock = outcome, now, clock
        self.kwargs = {}  # nobody asks for them any more, and they may be large

    def _move(self, status: TaskStatus) -> None:
        if status not in TRANSITIONS[self.status]:
            raise InvalidTaskTransition(self.status, status)
        self.status = status

    def summary(self) -> TaskSummary:
        """What a list shows of it."""
        return TaskSummary(**self._shown())

    def full(self) -> TaskStatusResponse:
        """All that is known of it."""
        return TaskStatusResponse(
            **self._shown(),
            result=json.loads(self._result_json or b"null"),
            omitted=self.outcome.dropped if self.outcome is not None else None,
        )

    def full_json(self) -> bytes:
        """All that is known of it as JSON. The result is copied, not encoded anew."""
        dropped = self.outcome.dropped if self.outcome is not None else None
        parts = [self.summary().model_dump_json()[:-1].encode()]
        if dropped is not None:
            parts.append(b',"omitted":' + json.dumps(dropped).encode())
        parts += [b',"result":', self._result_json or b"null", b"}"]
        return b"".join(parts)

    def _shown(self) -> dict[str, Any]:
        return {
            "task_id": self.task_id,
            "task_type": self.task.name,
            "status": self.status,
            "created_at": self.created_at,
            "started_at": self.started_at,
            "finished_at": self.finished_at,
            "progress": self.progress,
            "error": self.outcome.error if self.outcome is not None else None,
        }
