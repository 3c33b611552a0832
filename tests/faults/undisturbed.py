"""What every hostile client must leave as it was: a stream beside it, memory, descriptors."""

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
    """The events of a demo task are all there, once each and in order."""
    assert [event["data"].get("text") for event in story[1:-1]] == [
        f"Step {step} of {steps}" for step in range(1, steps + 1)
    ]
    assert (story[0]["event_type"], story[-1]["event_type"]) == ("task_started", "task_completed")


@contextmanager
def undisturbed(
    server: Server, *, steps: int = 100, seconds: float = 1.0, megabytes: int = 24
) -> Iterator[Stream]:
    """Run a task while something happens; afterwards nobody may have noticed.

    Args:
        server: the backend.
        steps: of the task; a stream must get an event for each.
        seconds: how long the task takes at least.
        megabytes: how much memory may have become resident for it.

    Yields:
        The stream that looks on.
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
