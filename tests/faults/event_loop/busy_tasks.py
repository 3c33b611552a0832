"""A user's tasks that compute: one as it should not, one as it should."""

from __future__ import annotations

import time

from pydantic import BaseModel

from app.tasks.base import BaseTask, TaskProgressHandle


class Done(BaseModel):
    """Nothing to say."""


class RudeTask(BaseTask):
    """Computes on the event loop."""

    def execute(self, progress_handle: TaskProgressHandle, **kwargs: object) -> Done:
        """Compute for half a second, without yielding."""
        compute_for(0.5)
        return Done()


class PoliteTask(RudeTask):
    """The same on a thread of its own."""

    cpu_bound = True


def compute_for(seconds: float) -> None:
    """Keep the processor."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass
