"""A task that ends when the test allows it, so that no test depends on timing."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from app.tasks.base import BaseTask, TaskProgressHandle

GATED_TASK = "tests.live.tasks.gated_task:GatedTask"
"""The value of APP_TASKS that offers this task."""

_PAUSE = 0.01


class GatedParams(BaseModel):
    """The parameters of the task.

    Args:
        steps: the number of steps.
        gate: the file that must exist before the last step.
        delay: the duration of each step, in seconds.
    """

    steps: int
    gate: Path
    delay: float = 0.0


class Passed(BaseModel):
    """The number of steps that the task has taken."""

    steps: int


class GatedTask(BaseTask):
    """A task that counts its steps like ``demo_task``, but takes the last step only at the gate."""

    params_model = GatedParams

    def execute(self, progress_handle: TaskProgressHandle, **kwargs: Any) -> Passed:
        """Report every step, and wait for the gate before the last one."""
        steps, gate = kwargs["steps"], kwargs["gate"]
        for step in range(1, steps + 1):
            while step == steps and not gate.exists():
                time.sleep(_PAUSE)
            time.sleep(kwargs["delay"])
            progress_handle.send_progress(f"Step {step} of {steps}", step / steps)
        return Passed(steps=steps)
