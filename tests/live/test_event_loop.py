"""Work does not stall the streams."""

from __future__ import annotations

import json
import statistics
import time
from datetime import datetime
from pathlib import Path

from tests.live.actions import connect, start_task, task_story
from tests.support.server import GunicornServer
from tests.support.stream import Stream
from tests.support.timing import TIME_LIMIT

P99_SECONDS = 0.05 * TIME_LIMIT / 10
GIGABYTE = 1024**3


def latencies(stream: Stream, task_id: str) -> list[float]:
    """Seconds from when each of a task's events was made to when it was read."""
    arrived = time.time() - time.monotonic()
    found = []
    for event, moment in zip(stream.events, stream.event_times, strict=True):
        payload = json.loads(event.data)
        if payload.get("task_id") == task_id:
            made = datetime.fromisoformat(payload["timestamp"]).timestamp()
            found.append(moment + arrived - made)
    return found


def p99(values: list[float]) -> float:
    """The 99th percentile."""
    return statistics.quantiles(values, n=100)[98]


def test_digesting_a_gigabyte_does_not_stall_a_stream(tmp_path: Path) -> None:
    """While digest_tree reads 1 GB, another task's events arrive within 50 ms at p99."""
    with (tmp_path / "large").open("wb") as file:
        file.truncate(GIGABYTE)  # sparse: to be hashed it is a gigabyte all the same
    env = {"TASK_FILES_ROOT": str(tmp_path)}
    with GunicornServer(env=env) as server, connect(server) as stream, connect(server) as other:
        stream.wait_for("version")
        digest = start_task(server, "digest_tree", path=".")
        demo = start_task(server, "demo_task", steps=200, delay=0.002)
        task_story(stream, demo)
        assert p99(latencies(stream, demo)) < P99_SECONDS
        story = task_story(other, digest)
        assert story[-1]["data"]["total_bytes"] == GIGABYTE
        values = [e["data"]["value"] for e in story if e["event_type"] == "progress_update"]
        assert values == sorted(values)


def test_pure_python_on_a_thread_does_not_stall_the_streams() -> None:
    """A cpu_bound task that never lets go costs the last of 50 streams less than 50 ms at p99."""
    env = {"APP_TASKS": "tests.live.busy_task:BusyTask"}
    with GunicornServer(env=env) as server, connect(server) as first:
        # The stream that connected last is written to last: it waits for all the others' sends.
        others = [connect(server) for _ in range(49)]
        busy = start_task(server, "busy_task")
        demo = start_task(server, "demo_task", steps=100, delay=0.005)
        task_story(others[-1], demo)
        worst = p99(latencies(others[-1], demo))
        assert task_story(first, busy)[-1]["event_type"] == "task_completed"
        for other in others:
            other.close()
        assert worst < P99_SECONDS
