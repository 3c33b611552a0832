"""A user's tasks that end the process they run in, or leave programs behind."""

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
"""For ``APP_TASKS``."""

if (note := os.environ.get("HANGING_CHECK")) and sys.argv[-1] == "check" and Path(note).exists():
    Path(note).write_text(str(os.getpid()))
    while Path(note).exists():
        time.sleep(0.01)


class Left(BaseModel):
    """The programs that were left, by their process ids."""

    pids: list[int]


class ExitTask(BaseTask):
    """Ends the process."""

    def execute(
        self, progress_handle: TaskProgressHandle, *, status: int, **kwargs: object
    ) -> Left:
        """End the process with ``status``."""
        os._exit(status)


class CopyTask(BaseTask):
    """Copies the process in a way that nobody can refuse, and leaves the copy behind."""

    cpu_bound = True

    def execute(self, progress_handle: TaskProgressHandle, **kwargs: object) -> Left:
        """Fork."""
        library = ctypes.PyDLL(None)  # keeps the interpreter's lock: the copy can go on
        pid = library.fork()
        while pid == 0:
            library.pause()
        return Left(pids=[pid])


class LeaveTask(BaseTask):
    """Starts programs that outlive the server, without closing anything for them."""

    cpu_bound = True

    def execute(self, progress_handle: TaskProgressHandle, **kwargs: object) -> Left:
        """Start one in each way that there is."""
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
