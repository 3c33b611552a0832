"""A task that leaves a process behind, for the tests of orphans."""

from __future__ import annotations

import subprocess

from pydantic import BaseModel

from app.tasks.base import BaseTask, TaskProgressHandle


class Left(BaseModel):
    """The process id of the orphan, in the namespace of the task."""

    pid: int


class OrphanTask(BaseTask):
    """A task whose shell starts another shell and ends. The other shell waits for a file."""

    def execute(
        self, progress_handle: TaskProgressHandle, *, until: str, status: int, **kwargs: object
    ) -> Left:
        """Leave a process that ends with ``status`` when the file ``until`` exists."""
        waiting = f'while [ ! -e "{until}" ]; do sleep 0.05; done; exit {status}'
        script = f"({waiting}) </dev/null >/dev/null 2>&1 & echo $!"
        done = subprocess.run(["sh", "-c", script], stdout=subprocess.PIPE, check=True)
        return Left(pid=int(done.stdout))
