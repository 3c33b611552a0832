"""The public import path of the base classes of tasks."""

from __future__ import annotations

from app.services import base_task
from app.tasks import base


def test_the_classes_are_those_of_the_tasks_package() -> None:
    """A task that is written with the public path is a task of the task service."""
    assert base_task.BaseTask is base.BaseTask
    assert base_task.TaskProgressHandle is base.TaskProgressHandle
    assert set(base_task.__all__) == {"BaseTask", "TaskProgressHandle"}
