"""The takeover with real processes: one is killed, and others look at the same time."""

from __future__ import annotations

import contextlib
import json
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from pathlib import Path

from app.tasks.run.outcome import LOST_PENDING, LOST_RUNNING
from tests.support.processes.child import ChildProcess
from tests.support.timing import TIME_LIMIT, wait_until

HELD = 40


class Process(ChildProcess):
    """A process of the server.

    Args:
        directory: the directory of the server.
        held: the number of tasks that it holds; 0: it has no tasks.
    """

    def __init__(self, directory: Path, held: int) -> None:
        script = "tests.app.tasks.memory.process_script"
        super().__init__(
            [sys.executable, "-m", script, str(directory), str(held)], stdin=subprocess.PIPE
        )

    def _wait_until_ready(self) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"ready\n"

    def finish(self) -> tuple[list[str], Counter[str]]:
        """Return the failures that the process has told, and the statuses of all tasks."""
        *told, statuses = self.process.communicate(timeout=TIME_LIMIT)[0].decode().splitlines()
        return told, Counter(statuses.split())


def saved_statuses(file: Path) -> Counter[str]:
    """Return the statuses of all tasks, as they are saved."""
    with contextlib.closing(sqlite3.connect(file)) as connection:
        rows = connection.execute("SELECT summary FROM tasks").fetchall()
    return Counter(json.loads(summary)["status"] for (summary,) in rows)


def are_all_told(file: Path) -> bool:
    """Return True if the end of every task was told."""
    with contextlib.closing(sqlite3.connect(file)) as connection:
        return connection.execute("SELECT min(told) FROM tasks").fetchone() == (1,)


def test_the_tasks_of_a_killed_process_are_failed_once(tmp_path: Path) -> None:
    """SIGKILL in the middle of tasks: three processes look, and one of them tells each failure."""
    file = tmp_path / "backend" / "state-1.sqlite3"
    begun = {"completed": 1, "running": HELD + 1, "pending": 1}
    with contextlib.ExitStack() as stack:
        others = [stack.enter_context(Process(tmp_path, 0)) for _ in range(3)]
        with Process(tmp_path, HELD) as victim:
            # A save waits while another process writes, and a kill meanwhile would lose it.
            wait_until(lambda: saved_statuses(file) == begun, "the tasks in the file")
            victim.process.send_signal(signal.SIGKILL)
            victim.process.wait(TIME_LIMIT)
        wait_until(lambda: are_all_told(file), "the failures")
        ends = [other.finish() for other in others]
    told = [line for lines, _ in ends for line in lines]
    assert len(told) == len(set(told))
    errors = Counter(line.split("\t")[1] for line in told)
    assert errors == {LOST_RUNNING: HELD + 1, LOST_PENDING: 1}
    assert [listed for _, listed in ends] == [{"completed": 1, "failed": HELD + 2}] * 3
