"""Requests to a running backend: open a stream, start a task, read a metric."""

from __future__ import annotations

import json
import re
import uuid
from typing import Any

from tests.support.http.client import request
from tests.support.http.sse_parser import SSEEvent
from tests.support.http.stream import Stream, open_stream
from tests.support.processes.server import Server
from tests.support.timing import Stopwatch

__all__ = [
    "active_streams",
    "connect",
    "metric",
    "seconds_to_end",
    "start_task",
    "task_events",
    "task_story",
]


def connect(server: Server, request_id: str | None = None, **options: Any) -> Stream:
    """Open a stream. Its request id is a new one unless it is given.

    The stream may have blocks with an ``id`` and no data, because the backend replays events.
    """
    request_id = request_id or str(uuid.uuid4())
    options.setdefault("lone_ids", True)
    return open_stream(server.port, f"/api/sse/stream?request_id={request_id}", **options)


def start_task(server: Server, task_type: str, **params: Any) -> str:
    """Start a task and return its id."""
    answer = request(
        server.port, "POST", "/api/tasks", json_body={"task_type": task_type, "params": params}
    )
    assert answer.status == 202, answer.body
    task_id = json.loads(answer.body)["task_id"]
    assert isinstance(task_id, str)
    return task_id


def task_events(events: list[SSEEvent], task_id: str) -> list[dict[str, Any]]:
    """Return the payloads of one task's events."""
    payloads = [json.loads(event.data) for event in events if event.type == "task_event"]
    return [payload for payload in payloads if payload["task_id"] == task_id]


def task_story(stream: Stream, task_id: str) -> list[dict[str, Any]]:
    """Wait for the last event of a task, and return the payloads of all its events."""

    def is_last(event: SSEEvent) -> bool:
        if event.type != "task_event":
            return False
        payload = json.loads(event.data)
        return payload["task_id"] == task_id and payload["event_type"] in (
            "task_completed",
            "task_failed",
            "task_cancelled",
        )

    stream.wait_for(is_last)
    return task_events(stream.events, task_id)


def active_streams(server: Server) -> float:
    """Return the number of streams that the backend knows."""
    return metric(server, "sse_gateway_active_connections")


def metric(server: Server, name: str) -> float:
    """Return the value of a metric. Labels are part of the name, as in the exposition format."""
    text = request(server.port, "GET", "/metrics").body.decode()
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
    assert found, f"no metric {name} in\n{text}"
    return float(found[1])


def seconds_to_end(server: Server) -> float:
    """Send SIGTERM, and return how many seconds the server took to end with status 0."""
    with Stopwatch() as watch:
        assert server.terminate() == 0
    return watch.elapsed
