"""``demo_task`` and its params."""

from __future__ import annotations

from typing import Any

import pytest

from app.errors import BadRequest
from app.tasks.base import TaskProgressHandle
from app.tasks.builtin.demo_task import DemoResult, DemoTask
from tests.app.tasks.builtin.sink import Sink


def test_it_counts_its_steps() -> None:
    """The task reports progress after each step and then returns its result."""
    sink = Sink()
    task = DemoTask()
    params = task.validate_params({"steps": 4, "delay": 0})
    result = task.execute(TaskProgressHandle(sink), **params)
    assert result == DemoResult(steps=4)
    assert result.model_dump() == {
        "success": True,
        "error_message": None,
        "status": "success",
        "steps": 4,
    }
    assert sink.items == [(f"Step {n} of 4", n / 4) for n in (1, 2, 3, 4)]


def test_its_defaults_take_a_second() -> None:
    """By default, the task does five steps of 0.2 s."""
    assert DemoTask().validate_params({}) == {"steps": 5, "delay": 0.2}
    assert DemoTask.name == "demo_task"


@pytest.mark.parametrize(
    "params",
    [{"steps": 0}, {"steps": 1001}, {"steps": "many"}, {"delay": -1}, {"delay": 61}, {"x": 1}],
)
def test_params_out_of_bounds_are_refused(params: dict[str, Any]) -> None:
    """Invalid params are refused with the allowed params."""
    with pytest.raises(BadRequest, match=r"^Invalid params for demo_task; allowed: steps, delay$"):
        DemoTask().validate_params(params)
