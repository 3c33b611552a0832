"""The backend under gunicorn, as a server that the bench measures."""

from __future__ import annotations

import json
import re
import time
from typing import Any

from app.bench.errors import BenchFailed
from app.bench.measured.server import NO_LIMIT, POLL_SECONDS, MeasuredServer
from app.program.self_command import self_command
from gateway_shim.parity.ports import free_port
from gateway_shim.streams.opening.pending_connects import MAX_PENDING_CONNECTS

__all__ = ["MeasuredBackend"]


class MeasuredBackend(MeasuredServer):
    """The backend as ``sse-monolith serve`` runs it, with the bench's task.

    Args:
        settings: the settings in the environment of the backend.
    """

    def __init__(self, **settings: str) -> None:
        port = free_port()
        own = {
            "APP_TASKS": "app.bench.measured.burst_task:BurstTask",
            "TASK_TIMEOUT_SECONDS": NO_LIMIT,
            "HEARTBEAT_INTERVAL_SECONDS": NO_LIMIT,  # heartbeats would disturb the counts
            # Clients that all reconnect at once must be accepted and not refused.
            "SSE_MAX_PENDING_CONNECTS": str(MAX_PENDING_CONNECTS),
        }
        # With a gateway on a port, the backend is ready only once that gateway runs.
        ready_path = "/healthz" if "SSE_GATEWAY_URL" in settings else "/readyz"
        super().__init__([*self_command(), "serve"], port, own | settings, ready_path)

    def start_burst(self, events: int, *, pause: float = 0.0, result_bytes: int = 0) -> str:
        """Start the task that broadcasts.

        Args:
            events: the number of progress events.
            pause: the pause before each event, seconds.
            result_bytes: the size of the task's result, bytes.

        Returns:
            The task's ID.

        Raises:
            BenchFailed: the task was refused.
        """
        params = {"events": events, "pause": pause, "result_bytes": result_bytes}
        status, body = self.request("POST", "/api/tasks", {"task_type": "burst", "params": params})
        if status != 202:
            raise BenchFailed(f"the task could not be started: {body.decode(errors='replace')}")
        return str(json.loads(body)["task_id"])

    def burst_result(self, task_id: str) -> dict[str, Any]:
        """Wait for the end of the task, and return its result.

        Raises:
            BenchFailed: the task did not complete.
        """
        while True:
            task = json.loads(self.request("GET", f"/api/tasks/{task_id}/status")[1])
            if task["status"] not in ("pending", "running"):
                break
            time.sleep(POLL_SECONDS)
        if task["status"] != "completed":
            raise BenchFailed(f"the task {task['status']}: {task['error']}")
        result: dict[str, Any] = task["result"]
        return result

    def streams_behind(self) -> int:
        """Return the number of streams that have not got all events of the log yet.

        A stream of a stalled client is one of them.
        """
        return int(self.metric("sse_gateway_streams_behind"))

    def metric(self, name: str) -> float:
        """Return the value of one of the backend's metrics.

        Raises:
            BenchFailed: there is no such metric.
        """
        text = self.request("GET", "/metrics")[1].decode()
        found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
        if found is None:
            raise BenchFailed(f"/metrics has no {name}")
        return float(found[1])
