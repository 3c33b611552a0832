"""The checks that a fault has no effect on other streams, on memory and on descriptors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from app.bench.measured.process_figures import resident_bytes
from tests.support.backend_client import connect, start_task, task_story
from tests.support.http.stream import Stream
from tests.support.processes.process_table import descriptors
from tests.support.processes.server import Server
from tests.support.timing import wait_until

__all__ = ["MEGABYTE", "assert_whole", "undisturbed"]

MEGABYTE = 1024 * 1024


def assert_whole(story: list[dict[str, Any]], steps: int) -> None:
    """Check that the events of a demo task are complete, in order and without duplicates."""
    assert [event["data"].get("text") for event in story[1:-1]] == [
        f"Step {step} of {steps}" for step in range(1, steps + 1)
    ]
    assert (story[0]["event_type"], story[-1]["event_type"]) == ("task_started", "task_completed")


@contextmanager
def undisturbed(
    server: Server, *, steps: int = 100, seconds: float = 1.0, megabytes: int = 24
) -> Iterator[Stream]:
    """Run a task during the block, and check afterwards that the block has disturbed nothing.

    Another stream must get every event of the task, and descriptors and memory must not grow.

    Args:
        server: the backend.
        steps: the number of steps of the task.
        seconds: the least duration of the task, in seconds.
        megabytes: the growth of the resident memory that is allowed, in megabytes.

    Yields:
        The other stream.
    """
    pid = server.worker_pid()
    with connect(server) as stream:
        stream.wait_for("version")
        held, size = descriptors(pid), resident_bytes(pid)
        task = start_task(server, "demo_task", steps=steps, delay=seconds / steps)
        yield stream
        assert_whole(task_story(stream, task), steps)
        wait_until(
            lambda: descriptors(pid) <= held,
            lambda: f"{held} descriptors, as before; there are {descriptors(pid)}",
        )
        grown = resident_bytes(pid) - size
        assert grown < megabytes * MEGABYTE, f"grown by {grown / MEGABYTE:.1f} MB"
