"""``failing_task``: gets half way and raises; to see what a failure looks like."""

from __future__ import annotations

import time
from typing import Any

from pydantic import BaseModel, Field

from app.tasks.base import BaseTask, TaskProgressHandle
from app.tasks.builtin.demo_task import DemoParams

__all__ = ["FailingParams", "FailingTask"]


class FailingParams(DemoParams):
    """What can be asked of it: a demo task's params, and the error.

    Args:
        error_message: what it fails with.
    """

    error_message: str = Field(default="This task was asked to fail", min_length=1, max_length=500)


class FailingTask(BaseTask):
    """Does the first half of its steps, then fails."""

    params_model = FailingParams

    def execute(self, progress_handle: TaskProgressHandle, **kwargs: Any) -> BaseModel:
        """Wait as a demo task does, but only for half of the steps.

        Raises:
            RuntimeError: always, with ``error_message``.
        """
        steps, delay = kwargs["steps"], kwargs["delay"]
        for step in range(1, (steps + 1) // 2 + 1):
            time.sleep(delay)
            progress_handle.send_progress(f"Step {step} of {steps}", step / steps)
        raise RuntimeError(kwargs["error_message"])
