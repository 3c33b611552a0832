"""Tasks that compute: one blocks the event loop, and one runs on a native thread."""

from __future__ import annotations

import time

from pydantic import BaseModel

from app.tasks.base import BaseTask, TaskProgressHandle


class Done(BaseModel):
    """An empty result."""


class BlockingTask(BaseTask):
    """A task that computes on the event loop."""

    def execute(self, progress_handle: TaskProgressHandle, **kwargs: object) -> Done:
        """Compute for half a second, without yielding."""
        compute_for(0.5)
        return Done()


class ThreadedTask(BlockingTask):
    """The same task on a native thread."""

    cpu_bound = True


def compute_for(seconds: float) -> None:
    """Compute for this time, without yielding."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass
