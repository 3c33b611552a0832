"""The task ``demo_task``, which counts its steps: an example to watch and to copy."""

from __future__ import annotations

import time
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.tasks.base import BaseTask, TaskProgressHandle
from app.tasks.builtin.task_result import TaskResult

__all__ = ["DemoParams", "DemoResult", "DemoTask"]


class DemoParams(BaseModel):
    """The params of ``demo_task``.

    Args:
        steps: the number of steps.
        delay: the duration of each step, seconds.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    steps: int = Field(default=5, ge=1, le=1000, description="The number of steps.")
    delay: float = Field(
        default=0.2, ge=0.0, le=60.0, description="The duration of each step, in seconds."
    )


class DemoResult(TaskResult):
    """The result of ``demo_task``.

    Args:
        status: always ``success``, for pages that read this field.
        steps: the number of steps.
    """

    status: Literal["success"] = "success"
    steps: int


class DemoTask(BaseTask):
    """A task that waits step by step and reports each step."""

    params_model = DemoParams

    def execute(self, progress_handle: TaskProgressHandle, **kwargs: Any) -> DemoResult:
        """Wait ``delay`` seconds ``steps`` times, and report progress after each step."""
        steps, delay = kwargs["steps"], kwargs["delay"]
        for step in range(1, steps + 1):
            time.sleep(delay)
            progress_handle.send_progress(f"Step {step} of {steps}", step / steps)
        return DemoResult(steps=steps)
