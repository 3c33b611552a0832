"""The table of a task's life: every status with every step."""

from __future__ import annotations

import pytest

from app.schemas.task_schema import TaskStatus
from app.tasks.run.lifecycle import (
    TRANSITIONS,
    InvalidTaskTransition,
    TaskStep,
    is_terminal,
    next_status,
)

EXPECTED = {
    (TaskStatus.PENDING, TaskStep.BEGIN): TaskStatus.RUNNING,
    (TaskStatus.PENDING, TaskStep.LOSE): TaskStatus.FAILED,
    (TaskStatus.PENDING, TaskStep.CANCEL): TaskStatus.CANCELLED,
    (TaskStatus.RUNNING, TaskStep.RETURN): TaskStatus.COMPLETED,
    (TaskStatus.RUNNING, TaskStep.RAISE): TaskStatus.FAILED,
    (TaskStatus.RUNNING, TaskStep.TIME_OUT): TaskStatus.FAILED,
    (TaskStatus.RUNNING, TaskStep.LOSE): TaskStatus.FAILED,
    (TaskStatus.RUNNING, TaskStep.CANCEL): TaskStatus.CANCELLED,
}


@pytest.mark.parametrize("status", TaskStatus)
@pytest.mark.parametrize("step", TaskStep)
def test_only_the_drawn_transitions_are_possible(status: TaskStatus, step: TaskStep) -> None:
    """Every step that the diagram does not show raises an error with the status and the step."""
    if (status, step) in EXPECTED:
        assert next_status(status, step) is EXPECTED[status, step]
        return
    with pytest.raises(InvalidTaskTransition) as caught:
        next_status(status, step)
    assert (caught.value.status, caught.value.step) == (status, step)
    assert str(caught.value) == f'the step "{step.value}" is not possible for a {status} task'


def test_terminal_statuses() -> None:
    """Three of the five statuses are terminal."""
    assert {status for status in TRANSITIONS if is_terminal(status)} == {
        TaskStatus.COMPLETED,
        TaskStatus.FAILED,
        TaskStatus.CANCELLED,
    }
    assert TRANSITIONS.keys() == set(TaskStatus)
