"""The backend as a measured server."""

from __future__ import annotations

import os

import pytest

from app.bench.errors import BenchFailed
from app.bench.measured.backend import MeasuredBackend

pytestmark = pytest.mark.slow


def test_backend() -> None:
    """The backend runs as users run it, with the bench's task, in a worker process."""
    with MeasuredBackend() as server:
        assert server.worker != server._process.pid
        task_id = server.start_burst(2, result_bytes=3)
        assert server.burst_result(task_id)["filling"] == "..."
        assert server.metric("sse_gateway_active_connections") == 0
        with pytest.raises(BenchFailed, match="/metrics has no nonsense"):
            server.metric("nonsense")
        with pytest.raises(BenchFailed, match="the task could not be started"):
            server.start_burst(-1)
        pid = server._process.pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
