"""A user's task that a test ends when it has seen enough, so that no test races against it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from app.tasks.base import BaseTask, TaskProgressHandle

GATED_TASK = "tests.live.tasks.gated_task:GatedTask"
"""For ``APP_TASKS``."""

_PAUSE = 0.01


class GatedParams(BaseModel):
    """What can be asked of it.

    Args:
        steps: how many steps.
        gate: the last step is done when this file exists.
        delay: how long each of the others takes, seconds.
    """

    steps: int
    gate: Path
    delay: float = 0.0


class Passed(BaseModel):
    """How many steps it did."""

    steps: int


class GatedTask(BaseTask):
    """Counts its steps as ``demo_task`` does, but does the last one only when it may."""

    params_model = GatedParams

    def execute(self, progress_handle: TaskProgressHandle, **kwargs: Any) -> Passed:
        """Report every step, the last one behind the gate."""
        steps, gate = kwargs["steps"], kwargs["gate"]
        for step in range(1, steps + 1):
            while step == steps and not gate.exists():
                time.sleep(_PAUSE)
            time.sleep(kwargs["delay"])
            progress_handle.send_progress(f"Step {step} of {steps}", step / steps)
        return Passed(steps=steps)
