"""The earlier import path of TaskResult."""

from __future__ import annotations

from app.tasks import task_result
from app.tasks.builtin import task_result as builtin


def test_the_earlier_path_gives_the_same_class() -> None:
    """A result that is derived from either path is the same kind of result."""
    assert task_result.TaskResult is builtin.TaskResult
    assert task_result.__all__ == ["TaskResult"]
