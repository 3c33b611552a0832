"""A user's task that computes in pure Python, for the tests of the event loop."""

from __future__ import annotations

import time

from pydantic import BaseModel

from app.tasks.base import BaseTask, TaskProgressHandle


class Counted(BaseModel):
    """How far it got."""

    count: int


class BusyTask(BaseTask):
    """Counts for a while and lets nobody else have the interpreter if it can help it."""

    cpu_bound = True

    def execute(self, progress_handle: TaskProgressHandle, **kwargs: object) -> Counted:
        """Count until it has had a processor for two seconds."""
        until, count = time.thread_time() + 2, 0
        while time.thread_time() < until:
            for _ in range(10_000):
                count += 1
        return Counted(count=count)
