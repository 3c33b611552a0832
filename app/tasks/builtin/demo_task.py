"""``demo_task``: counts its steps; something to watch, and an example to copy."""

from __future__ import annotations

import time
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.tasks.base import BaseTask, TaskProgressHandle
from app.tasks.builtin.task_result import TaskResult

__all__ = ["DemoParams", "DemoResult", "DemoTask"]


class DemoParams(BaseModel):
    """What can be asked of it.

    Args:
        steps: how many steps.
        delay: how long each takes, seconds.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    steps: int = Field(default=5, ge=1, le=1000)
    delay: float = Field(default=0.2, ge=0.0, le=60.0)


class DemoResult(TaskResult):
    """What it returns.

    Args:
        status: ``success``; it cannot be anything else, but a page may want to see it.
        steps: how many steps it did.
    """

    status: Literal["success"] = "success"
    steps: int


class DemoTask(BaseTask):
    """Does nothing, step by step, and says so."""

    params_model = DemoParams

    def execute(self, progress_handle: TaskProgressHandle, **kwargs: Any) -> DemoResult:
        """Wait ``delay`` seconds ``steps`` times, with progress after each."""
        steps, delay = kwargs["steps"], kwargs["delay"]
        for step in range(1, steps + 1):
            time.sleep(delay)
            progress_handle.send_progress(f"Step {step} of {steps}", step / steps)
        return DemoResult(steps=steps)
