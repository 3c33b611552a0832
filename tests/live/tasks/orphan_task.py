"""A user's task that leaves a process behind, for the tests of orphans."""

from __future__ import annotations

import subprocess

from pydantic import BaseModel

from app.tasks.base import BaseTask, TaskProgressHandle


class Left(BaseModel):
    """Which process was left, by its number where the task runs."""

    pid: int


class OrphanTask(BaseTask):
    """Starts a shell that starts another one and ends; the other one waits for a file."""

    def execute(
        self, progress_handle: TaskProgressHandle, *, until: str, status: int, **kwargs: object
    ) -> Left:
        """Leave a process that ends with ``status`` once there is a file ``until``."""
        waiting = f'while [ ! -e "{until}" ]; do sleep 0.05; done; exit {status}'
        script = f"({waiting}) </dev/null >/dev/null 2>&1 & echo $!"
        done = subprocess.run(["sh", "-c", script], stdout=subprocess.PIPE, check=True)
        return Left(pid=int(done.stdout))
