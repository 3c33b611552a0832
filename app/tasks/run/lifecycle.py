"""The life of a task: its steps, and one table of the status that each step leads to. Pure.

::

    PENDING ──BEGIN──▶ RUNNING ──RETURN───────────────▶ COMPLETED
       │                  │
       │                  ├───RAISE, TIME_OUT, LOSE───▶ FAILED (LOSE: from PENDING, too)
       │                  │
       └───────CANCEL─────┴────────CANCEL─────────────▶ CANCELLED
"""

from __future__ import annotations

from enum import Enum

from app.schemas.task_schema import TaskStatus

__all__ = ["TRANSITIONS", "InvalidTaskTransition", "TaskStep", "is_terminal", "next_status"]


class TaskStep(Enum):
    """An event in the life of a task. Each one except ``BEGIN`` ends the task."""

    BEGIN = "begin"
    """The task gets a slot."""

    RETURN = "return"
    """The task returns a result."""

    RAISE = "raise"
    """The task raises an exception, or cannot be run."""

    TIME_OUT = "time out"
    """The task exceeds its time limit. :mod:`app.tasks.run.time_limit` measures it."""

    LOSE = "lose"
    """The process of the task ends before the task. Another process notices it."""

    CANCEL = "cancel"
    """A caller or the shutdown cancels the task, or the task raises ``TaskCancelled``."""


TRANSITIONS: dict[TaskStatus, dict[TaskStep, TaskStatus]] = {
    TaskStatus.PENDING: {
        TaskStep.BEGIN: TaskStatus.RUNNING,
        TaskStep.LOSE: TaskStatus.FAILED,
        TaskStep.CANCEL: TaskStatus.CANCELLED,
    },
    TaskStatus.RUNNING: {
        TaskStep.RETURN: TaskStatus.COMPLETED,
        TaskStep.RAISE: TaskStatus.FAILED,
        TaskStep.TIME_OUT: TaskStatus.FAILED,
        TaskStep.LOSE: TaskStatus.FAILED,
        TaskStep.CANCEL: TaskStatus.CANCELLED,
    },
    TaskStatus.COMPLETED: {},
    TaskStatus.FAILED: {},
    TaskStatus.CANCELLED: {},
}
"""The status after each step. A status without steps is terminal."""


class InvalidTaskTransition(Exception):
    """A mistake of this package: a step that is not possible in a status. Nothing was changed.

    Args:
        status: the status of the task.
        step: the step that is not possible.
    """

    def __init__(self, status: TaskStatus, step: TaskStep) -> None:
        super().__init__(f'the step "{step.value}" is not possible for a {status} task')
        self.status = status
        self.step = step


def next_status(status: TaskStatus, step: TaskStep) -> TaskStatus:
    """Return the status of a task after a step.

    Raises:
        InvalidTaskTransition: the step is not possible in this status.
    """
    try:
        return TRANSITIONS[status][step]
    except KeyError:
        raise InvalidTaskTransition(status, step) from None


def is_terminal(status: TaskStatus) -> bool:
    """Return whether a task with this status is over."""
    return not TRANSITIONS[status]
