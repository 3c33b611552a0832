"""The task ``failing_task``, which fails halfway: an example of a failure."""

from __future__ import annotations

import time
from typing import Any

from pydantic import BaseModel, Field

from app.tasks.base import BaseTask, TaskProgressHandle
from app.tasks.builtin.demo_task import DemoParams

__all__ = ["FailingParams", "FailingTask"]


class FailingParams(DemoParams):
    """The params of ``failing_task``: the params of ``demo_task``, and the error.

    Args:
        error_message: the message of the failure.
    """

    error_message: str = Field(
        default="This task was asked to fail",
        min_length=1,
        max_length=500,
        description="The message of the failure.",
    )


class FailingTask(BaseTask):
    """A task that does the first half of its steps and then fails."""

    params_model = FailingParams

    def execute(self, progress_handle: TaskProgressHandle, **kwargs: Any) -> BaseModel:
        """Wait as ``demo_task`` does, but only for half of the steps.

        Raises:
            RuntimeError: always, with ``error_message``.
        """
        steps, delay = kwargs["steps"], kwargs["delay"]
        for step in range(1, (steps + 1) // 2 + 1):
            time.sleep(delay)
            progress_handle.send_progress(f"Step {step} of {steps}", step / steps)
        raise RuntimeError(kwargs["error_message"])
