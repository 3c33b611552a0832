"""A task that computes in pure Python, for the tests of the event loop."""

from __future__ import annotations

import time

from pydantic import BaseModel

from app.tasks.base import BaseTask, TaskProgressHandle


class Counted(BaseModel):
    """The count that the task has reached."""

    count: int


class BusyTask(BaseTask):
    """A task that counts, and keeps the interpreter lock as long as Python allows."""

    cpu_bound = True

    def execute(self, progress_handle: TaskProgressHandle, **kwargs: object) -> Counted:
        """Count for two seconds of processor time."""
        until, count = time.thread_time() + 2, 0
        while time.thread_time() < until:
            for _ in range(10_000):
                count += 1
        return Counted(count=count)
