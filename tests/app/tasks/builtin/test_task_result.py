"""The fields that pages of the original backend read of every result."""

from __future__ import annotations

import pytest

from app.tasks.base import BaseTask
from app.tasks.builtin.demo_task import DemoTask
from app.tasks.builtin.digest_tree import DigestTree
from app.tasks.builtin.task_result import TaskResult


@pytest.mark.parametrize("task", [DemoTask, DigestTree])
def test_the_results_of_the_built_in_tasks_have_it(task: type[BaseTask]) -> None:
    """The results of all built-in tasks have these fields."""
    returned = task.execute.__annotations__["return"]
    module = __import__(task.__module__, fromlist=[returned])
    assert issubclass(getattr(module, returned), TaskResult)


def test_a_result_says_that_it_is_a_success() -> None:
    """Both fields come first, and null is included."""
    assert TaskResult().model_dump_json() == '{"success":true,"error_message":null}'
