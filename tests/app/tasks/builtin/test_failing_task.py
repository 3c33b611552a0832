"""``failing_task`` and its params."""

from __future__ import annotations

import pytest

from app.errors import BadRequest
from app.tasks.base import TaskProgressHandle
from app.tasks.builtin.failing_task import FailingTask
from tests.app.tasks.builtin.sink import Sink


@pytest.mark.parametrize(("steps", "done"), [(1, 1), (4, 2), (5, 3)])
def test_it_gets_half_way_and_fails(steps: int, done: int) -> None:
    """The task does half of its steps and fails with the given message."""
    sink = Sink()
    task = FailingTask()
    params = task.validate_params({"steps": steps, "delay": 0, "error_message": "as asked"})
    with pytest.raises(RuntimeError, match=r"^as asked$"):
        task.execute(TaskProgressHandle(sink), **params)
    assert [text for text, _ in sink.items] == [f"Step {n + 1} of {steps}" for n in range(done)]


def test_its_params_have_defaults() -> None:
    """The params are those of ``demo_task`` and a message."""
    assert FailingTask().validate_params({}) == {
        "steps": 5,
        "delay": 0.2,
        "error_message": "This task was asked to fail",
    }
    with pytest.raises(BadRequest, match=r"allowed: steps, delay, error_message$"):
        FailingTask().validate_params({"error_message": ""})
