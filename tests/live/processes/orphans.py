"""A check of processes that a task has left behind: their parent, and their end."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from tests.support.backend_client import connect, start_task, task_story
from tests.support.processes.process_table import parent_of
from tests.support.processes.server import Server
from tests.support.timing import wait_until

__all__ = ["assert_orphans_are_reaped"]


def assert_orphans_are_reaped(server: Server, folder: Path, statuses: list[int]) -> None:
    """Check that the arbiter adopts processes that tasks leave behind, and waits for them.

    Args:
        server: a server that offers tests/live/tasks/orphan_task.py.
        folder: a folder of this test.
        statuses: the exit statuses of the processes, one after the other.
    """
    worker = server.worker_pid()
    arbiter = parent_of(worker)
    with connect(server) as stream:
        for status in statuses:
            until = folder / f"orphan-{status}"
            task_id = start_task(server, "orphan_task", until=str(until), status=status)
            assert task_story(stream, task_id)[-1]["event_type"] == "task_completed"
            orphan = wait_until(lambda until=until: _only_process_with(str(until)), "one process")
            assert parent_of(orphan) == arbiter
            until.touch()
            wait_until(
                lambda orphan=orphan: not Path(f"/proc/{orphan}").exists(),
                lambda orphan=orphan: Path(f"/proc/{orphan}/status").read_text(),
            )
        # The same worker still serves, and no orphan was taken for a worker.
        assert server.worker_pid() == worker
        assert parent_of(worker) == arbiter
    for wrong in ("exited with code", "Shutting down", "failed to boot", "Perhaps out of memory"):
        assert wrong not in server.log


def _only_process_with(text: str) -> int | None:
    """Return the one process with this text in its arguments; None if there is not exactly one."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            # A process that ends while we read its entry counts as gone.
            with contextlib.suppress(OSError):
                arguments = Path("/proc", name, "cmdline").read_bytes().decode(errors="replace")
                if text in arguments:
                    found.append(int(name))
    return found[0] if len(found) == 1 else None
