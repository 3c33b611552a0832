"""One task as the service keeps it: its status, its progress, and its outcome."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from app.schemas.task_schema import TaskProgress, TaskStatus, TaskStatusResponse, TaskSummary
from app.tasks.base import BaseTask
from app.tasks.params.remembered import RememberedParams
from app.tasks.run.lifecycle import TaskStep, is_terminal, next_status
from app.tasks.run.outcome import TaskOutcome

if TYPE_CHECKING:
    from app.tasks.run.body import TaskBody

__all__ = ["TaskOrigin", "TaskRecord"]


@dataclass(frozen=True, slots=True)
class TaskOrigin:
    """The origin of a task: who started it with which parameters.

    Args:
        client: the client that has started the task; empty if the limits count no client.
        params_bytes: the size of the task's parameters as JSON, bytes, which the limits count.
        params: the parameters, for a person who wants to start the task again; None if they are
            not remembered.
    """

    client: str = ""
    params_bytes: int = 0
    params: RememberedParams | None = None


@dataclass(eq=False, slots=True)
class TaskRecord:
    """One task.

    Args:
        task_id: the ID that the task's events carry.
        task: the task to run.
        kwargs: the task's parameters.
        created_at: the time at which the task was accepted, UTC.
        number: the place of the task in the order of all starts.
        origin: the origin of the task.
    """

    task_id: str
    task: BaseTask
    kwargs: dict[str, Any]
    created_at: datetime
    number: int = 0
    origin: TaskOrigin = TaskOrigin()

    # The status changes only in begin() and end(). A task of another process is restored with its
    # status and its times.
    status: TaskStatus = TaskStatus.PENDING
    # The times of both changes: UTC for answers, and monotonic seconds for the duration.
    started_at: datetime | None = None
    finished_at: datetime | None = None
    started_clock: float | None = None
    finished_clock: float | None = None
    # The last update that was broadcast.
    progress: TaskProgress = field(default_factory=TaskProgress)
    # Set when the status becomes terminal.
    outcome: TaskOutcome | None = None
    # The run, from the broadcast of task_started to the end of the task.
    body: TaskBody | None = None
    # True for a copy of a task that belongs to another process, which runs.
    is_elsewhere: bool = False
    # The process that has the task, if this copy came from it; empty: the memory does not say.
    process: str = ""
    # True if another server has sent the terminal event, because it took this server for gone.
    was_told: bool = False
    # True for a copy whose result was not saved: at most the process that ran it has the result.
    lacks_result: bool = False

    @property
    def is_over(self) -> bool:
        """True if the status is terminal. The terminal event may not have been sent yet."""
        return is_terminal(self.status)

    @property
    def had_slot(self) -> bool:
        """True if the task has begun, so that its end frees a slot."""
        return self.started_at is not None

    @property
    def seconds(self) -> float:
        """The duration of the run; 0.0 if the task never began or is not over."""
        if self.started_clock is None or self.finished_clock is None:
            return 0.0
        return self.finished_clock - self.started_clock

    @property
    def result_bytes(self) -> int:
        """The size of the result as JSON, bytes; 0 if there is no result."""
        return len(self._result_json)

    @property
    def kept_bytes(self) -> int:
        """The size of the result and of the remembered parameters as JSON, bytes."""
        params = self.origin.params
        return self.result_bytes + (len(params.text) if params is not None else 0)

    @property
    def _result_json(self) -> bytes:
        return (self.outcome.result_json if self.outcome is not None else None) or b""

    def begin(self, now: datetime, clock: float) -> None:
        """Note that the task has got a slot.

        Args:
            now: the time of day, UTC.
            clock: monotonic seconds.

        Raises:
            InvalidTaskTransition: the task is not pending.
        """
        self.status = next_status(self.status, TaskStep.BEGIN)
        self.started_at, self.started_clock = now, clock

    def end(self, outcome: TaskOutcome, now: datetime, clock: float) -> None:
        """Note that the task is over.

        Args:
            outcome: the end of the task.
            now: the time of day, UTC.
            clock: monotonic seconds.

        Raises:
            InvalidTaskTransition: this end is not possible in the present status.
        """
        self.status = next_status(self.status, outcome.step)
        self.outcome, self.finished_at, self.finished_clock = outcome, now, clock
        self.kwargs = {}  # the parameters are not needed any more, and they may be large

    def summary(self) -> TaskSummary:
        """Return the task as lists show it, without its result."""
        return TaskSummary(**self._summary_fields())

    def full(self) -> TaskStatusResponse:
        """Return everything that is known about the task."""
        return TaskStatusResponse(
            **self._summary_fields(),
            result=json.loads(self._result_json or b"null"),
            omitted=self.outcome.dropped if self.outcome is not None else None,
        )

    def full_json(self) -> bytes:
        """Return everything that is known about the task as JSON.

        The result is copied and not encoded again.
        """
        dropped = self.outcome.dropped if self.outcome is not None else None
        parts = [self.summary().model_dump_json()[:-1].encode()]
        if dropped is not None:
            parts.append(b',"omitted":' + json.dumps(dropped).encode())
        parts += [b',"result":', self._result_json or b"null", b"}"]
        return b"".join(parts)

    def _summary_fields(self) -> dict[str, Any]:
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
