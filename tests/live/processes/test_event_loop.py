"""Tasks that work hard do not delay streams."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.support.backend_client import connect, start_task, task_story
from tests.support.http.stream import Stream
from tests.support.processes.server import GunicornServer

GIGABYTE = 1024**3


def during(stream: Stream, task_id: str) -> list[dict[str, Any]]:
    """Return the events of other tasks between the first and the last event of a task."""
    task_story(stream, task_id)
    payloads = [json.loads(event.data) for event in stream.events if event.type == "task_event"]
    own = [number for number, payload in enumerate(payloads) if payload["task_id"] == task_id]
    between = payloads[own[0] : own[-1]]
    return [payload for payload in between if payload["task_id"] != task_id]


def test_digesting_a_gigabyte_does_not_stall_a_stream(tmp_path: Path) -> None:
    """While digest_tree reads 1 GB, the events of another task arrive."""
    with (tmp_path / "large").open("wb") as file:
        file.truncate(GIGABYTE)  # sparse, but its digest needs a gigabyte of reads
    env = {"TASK_FILES_ROOT": str(tmp_path)}
    with GunicornServer(env=env) as server, connect(server) as stream, connect(server) as other:
        stream.wait_for("version")
        start_task(server, "demo_task", steps=1000, delay=0.002)
        stream.wait_for("task_event")
        digest = start_task(server, "digest_tree", path=".")
        # If the event loop read the gigabyte, these events would come before it or after it.
        assert len(during(stream, digest)) > 20
        story = task_story(other, digest)
        assert story[-1]["data"]["total_bytes"] == GIGABYTE
        values = [e["data"]["value"] for e in story if e["event_type"] == "progress_update"]
        assert values == sorted(values)


def test_pure_python_on_a_thread_does_not_stall_the_streams() -> None:
    """Beside a cpu_bound task in pure Python, each of 50 streams gets event after event.

    The number of events depends on how long the loop waits for the interpreter lock at each send,
    and not on the load of the machine, because the task runs for two seconds of processor time.
    """
    env = {"APP_TASKS": "tests.live.tasks.busy_task:BusyTask"}
    with GunicornServer(env=env) as server, connect(server) as first:
        # The stream that connected last is written last, after the sends to all others.
        others = [connect(server) for _ in range(49)]
        start_task(server, "demo_task", steps=1000, delay=0)
        first.wait_for("task_event")
        busy = start_task(server, "busy_task")
        # All events come. With Python's own switch interval of 5 ms there were 23 to 48.
        assert len(during(others[-1], busy)) > 100
        assert task_story(first, busy)[-1]["event_type"] == "task_completed"
        for other in others:
            other.close()
