"""Tasks that end their process, or leave programs behind."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import time
from pathlib import Path
from subprocess import DEVNULL

from pydantic import BaseModel

from app.tasks.base import BaseTask, TaskProgressHandle

LEAVING_TASKS = ",".join(
    f"tests.faults.deploys.leaving_tasks:{name}" for name in ("ExitTask", "LeaveTask", "CopyTask")
)
"""The value of APP_TASKS that offers these tasks."""

if (note := os.environ.get("HANGING_CHECK")) and sys.argv[-1] == "check" and Path(note).exists():
    Path(note).write_text(str(os.getpid()))
    while Path(note).exists():
        time.sleep(0.01)


class Left(BaseModel):
    """The process ids of the programs that were left behind."""

    pids: list[int]


class ExitTask(BaseTask):
    """A task that ends its process."""

    def execute(
        self, progress_handle: TaskProgressHandle, *, status: int, **kwargs: object
    ) -> Left:
        """End the process with the exit status ``status``."""
        os._exit(status)


class CopyTask(BaseTask):
    """A task that forks its process with the C library, and leaves the copy behind."""

    cpu_bound = True

    def execute(self, progress_handle: TaskProgressHandle, **kwargs: object) -> Left:
        """Fork, and pause the copy for ever."""
        library = ctypes.PyDLL(None)  # PyDLL keeps the interpreter's lock, so the copy can run
        pid = library.fork()
        while pid == 0:
            library.pause()
        return Left(pids=[pid])


class LeaveTask(BaseTask):
    """A task that starts programs which live longer than the server and inherit all descriptors."""

    cpu_bound = True

    def execute(self, progress_handle: TaskProgressHandle, **kwargs: object) -> Left:
        """Start one program in each way that Python has."""
        program = ["sleep", "1000"]
        null = os.open(os.devnull, os.O_WRONLY)
        nowhere = [(os.POSIX_SPAWN_DUP2, null, 1), (os.POSIX_SPAWN_DUP2, null, 2)]
        pids = [
            subprocess.Popen(program, close_fds=False, stdout=DEVNULL, stderr=DEVNULL).pid,
            os.posix_spawn("/bin/sleep", program, os.environ, file_actions=nowhere),
        ]
        found = subprocess.run(
            ["sh", "-c", "sleep 1000 >/dev/null 2>&1 & echo $!"],
            close_fds=False,
            stdout=subprocess.PIPE,
            check=True,
        )
        return Left(pids=[*pids, int(found.stdout)])
