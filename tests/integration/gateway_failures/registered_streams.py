"""Streams that a backend knows at a fake gateway, for tests of the gateway's failures."""

from __future__ import annotations

import uuid
from typing import Any

from gevent.event import Event as Signal

from tests.app.services.remote_gateway.http_gateway import HttpGateway
from tests.integration.installation import Installation
from tests.support.backend_client import metric
from tests.support.http.client import request
from tests.support.processes.server import Server
from tests.support.timing import Stopwatch, wait_until

__all__ = ["LIMIT", "SETTINGS", "SLACK", "RegisteredStreams", "hang"]

LIMIT = 0.3
"""The time limit of the backend for one send, in seconds."""

SLACK = 0.6
"""The time that an action may take besides the limit, in seconds."""

SETTINGS = {"SSE_GATEWAY_TIMEOUT_SECONDS": str(LIMIT), "GRACEFUL_SHUTDOWN_TIMEOUT": "5"}
"""The settings of the backend."""


class RegisteredStreams:
    """Streams that the backend knows, at a fake gateway.

    Args:
        gateway: the fake gateway, which receives the sends.
        backend: the backend.

    Attributes:
        tokens: the tokens of the streams.
    """

    def __init__(self, gateway: HttpGateway, backend: Server) -> None:
        self.gateway = gateway
        self.backend = backend
        self.installation = Installation(backend, backend, None)
        self.tokens: list[str] = []

    def connect(self, count: int = 1) -> list[float]:
        """Register streams with callbacks, and return the seconds of each callback."""
        seconds = []
        for _ in range(count):
            token = f"token-{uuid.uuid4()}"
            with self.stopwatch() as watch:
                answer = self.installation.callback("connect", token, str(uuid.uuid4()))
            seconds.append(watch.seconds)
            assert (answer.status, answer.json()) == (200, {})
            self.tokens.append(token)
        return seconds

    def disconnect(self) -> None:
        """Report the end of all streams to the backend."""
        for token in self.tokens:
            assert self.installation.callback("disconnect", token, reason="error").status == 200

    def run_task(self, steps: int) -> float:
        """Run a task, wait until its last event was sent, and return the seconds that it took."""
        before = self._count_sends()
        with self.stopwatch() as watch:
            task_id = self.installation.start_task("demo_task", steps=steps, delay=0)
            wait_until(
                lambda: self._count_sends() == before + steps + 2,
                "all of the task's events to be sent",
            )
        answer = request(self.backend.port, "GET", f"/api/tasks/{task_id}/status")
        assert answer.json()["status"] == "completed"
        return watch.seconds

    def stopwatch(self) -> Stopwatch:
        """Return a stopwatch for the backend and for this process, which is the gateway."""
        return Stopwatch(self.backend.worker_pid())

    def _count_sends(self) -> float:
        return sum(self.sent(status) for status in ("success", "error", "no_stream"))

    def sent(self, status: str) -> float:
        """Return the number of task events that the backend has counted with this outcome."""
        name = "sse_gateway_events_sent_total"
        try:
            return metric(self.backend, f'{name}{{service="task",status="{status}"}}')
        except AssertionError:  # no such event yet
            return 0.0


def hang(send: dict[str, Any]) -> bytes:
    """Never respond to a send."""
    Signal().wait()
    return b""
