"""demo_task and its params."""

from __future__ import annotations

import pytest

from app.errors import BadRequest
from app.tasks.base import TaskProgressHandle
from app.tasks.builtin.demo_task import DemoResult, DemoTask
from tests.app.tasks.builtin.sink import Sink


def test_it_counts_its_steps():
    """Progress after each, then the result."""
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


def test_its_defaults_take_a_second():
    """Five steps of 0.2 s."""
    assert DemoTask().validate_params({}) == {"steps": 5, "delay": 0.2}
    assert DemoTask.name == "demo_task"


@pytest.mark.parametrize(
    "params",
    [{"steps": 0}, {"steps": 1001}, {"steps": "many"}, {"delay": -1}, {"delay": 61}, {"x": 1}],
)
def test_params_out_of_bounds_are_refused(params):
    """The message names what is allowed."""
    with pytest.raises(BadRequest, match=r"^Invalid params for demo_task; allowed: steps, delay$"):
        DemoTask().validate_params(params)
