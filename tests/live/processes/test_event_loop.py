"""Work does not stall the streams."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.support.backend_client import connect, start_task, task_story
from tests.support.http.stream import Stream
from tests.support.processes.server import GunicornServer

GIGABYTE = 1024**3


def during(stream: Stream, task_id: str) -> list[dict[str, Any]]:
    """The events of other tasks that a stream got between a task's first and last event."""
    task_story(stream, task_id)
    payloads = [json.loads(event.data) for event in stream.events if event.type == "task_event"]
    own = [number for number, payload in enumerate(payloads) if payload["task_id"] == task_id]
    between = payloads[own[0] : own[-1]]
    return [payload for payload in between if payload["task_id"] != task_id]


def test_digesting_a_gigabyte_does_not_stall_a_stream(tmp_path: Path) -> None:
    """While digest_tree reads 1 GB, another task's events go on arriving."""
    with (tmp_path / "large").open("wb") as file:
        file.truncate(GIGABYTE)  # sparse: to be hashed it is a gigabyte all the same
    env = {"TASK_FILES_ROOT": str(tmp_path)}
    with GunicornServer(env=env) as server, connect(server) as stream, connect(server) as other:
        stream.wait_for("version")
        start_task(server, "demo_task", steps=1000, delay=0.002)
        stream.wait_for("task_event")
        digest = start_task(server, "digest_tree", path=".")
        # Were the gigabyte read in the event loop, these would come before it, or after it.
        assert len(during(stream, digest)) > 20
        story = task_story(other, digest)
        assert story[-1]["data"]["total_bytes"] == GIGABYTE
        values = [e["data"]["value"] for e in story if e["event_type"] == "progress_update"]
        assert values == sorted(values)


def test_pure_python_on_a_thread_does_not_stall_the_streams() -> None:
    """Beside a cpu_bound task that never lets go, each of 50 streams gets event after event.

    How many depends on how long the loop has to wait for the interpreter at each send, and not on
    how busy the machine is: the task is over when it has had two seconds of a processor.
    """
    env = {"APP_TASKS": "tests.live.tasks.busy_task:BusyTask"}
    with GunicornServer(env=env) as server, connect(server) as first:
        # The stream that connected last is written to last: it waits for all the others' sends.
        others = [connect(server) for _ in range(49)]
        start_task(server, "demo_task", steps=1000, delay=0)
        first.wait_for("task_event")
        busy = start_task(server, "busy_task")
        # All of them come; with Python's own switch interval of 5 ms there were 23 to 48.
        assert len(during(others[-1], busy)) > 100
        assert task_story(first, busy)[-1]["event_type"] == "task_completed"
        for other in others:
            other.close()
