"""A process of a server with tasks, for tests that kill it: ``python -m … DIRECTORY HELD``.

It starts the tasks that wait for ever, HELD of them with a slot, one more that waits, and one that
completes. Then it prints ``ready`` and serves until its input ends. It prints each ``task_failed``
as the ID and the error, and the statuses of all tasks at the end.
"""

from __future__ import annotations

from gateway_shim.event_loop.patching import patch_process

patch_process()

import itertools  # noqa: E402
import logging  # noqa: E402
import sys  # noqa: E402
import uuid  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

from gevent.fileobject import FileObject  # noqa: E402

from app.lifecycle import ShutdownCoordinator  # noqa: E402
from app.services.metrics_service import NullMetrics  # noqa: E402
from app.state.place import StatePlace  # noqa: E402
from app.state.server_memory import ServerMemory  # noqa: E402
from app.tasks.run.line import LineLimits  # noqa: E402
from app.tasks.service import TaskService  # noqa: E402
from tests.app.tasks.task_support import Call, Done, Gate  # noqa: E402


class PrintingSender:
    """A connection manager that prints the failures of tasks."""

    def send_event(self, to: str | None, event: dict[str, Any], *_: object) -> bool:
        """Print the task's ID and its error."""
        if event["event_type"] == "task_failed":
            print(event["task_id"], event["data"]["error"], sep="\t", flush=True)
        return True


def main(directory: Path, held: int) -> None:
    """Run the process."""
    logging.disable()
    memory = ServerMemory(lambda: StatePlace(directory, durable=True))
    prefix, ids = uuid.uuid4().hex[:8], itertools.count()
    service = TaskService(
        PrintingSender(),
        NullMetrics(),
        ShutdownCoordinator(0),
        LineLimits(running=held + 1),
        memory=memory,
        new_id=lambda: f"{prefix}-{next(ids)}",
    )
    memory.start()
    if held:
        done = service.start_task(Call(lambda handle: Done())).task_id
        for _ in range(held):
            service.start_task(Gate())
        while service.get_task_status(done).status != "completed":
            service.wait_for_tasks(0.001)
        service.start_task(Gate())
        service.start_task(Gate())
    print("ready", flush=True)
    FileObject(sys.stdin.fileno(), "rb", close=False).read()  # other greenlets run meanwhile
    print(*(task.status for task in service.list_tasks().tasks), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
