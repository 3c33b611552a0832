"""The backend under ``flask run``, which has no event loop."""

from __future__ import annotations

import json
import sys

import pytest

from tests.support.http.client import request
from tests.support.processes.server import Server


@pytest.mark.parametrize("mode", ["--with-threads", "--without-threads"])
def test_tasks_are_refused_as_streams_are(mode: str) -> None:
    """Tasks and streams are refused with advice, and everything without an event loop works."""
    command = [sys.executable, "-m", "flask", "--app", "app", "run", mode, "--port", "{port}"]
    with Server(command, env={"FLASK_ENV": "testing"}) as server:
        for path in ("/api/tasks", "/api/testing/tasks/start"):
            body = {"task_type": "demo_task", "params": {}}
            answer = request(server.port, "POST", path, json_body=body)
            assert answer.status == 503
            assert "sse-monolith serve" in json.loads(answer.body)["error"]
        stream = request(server.port, "GET", "/api/sse/stream?request_id=me")
        assert stream.status == 503
        assert "sse-monolith serve" in json.loads(stream.body)["error"]
        tasks = request(server.port, "GET", "/api/tasks")
        assert (tasks.status, json.loads(tasks.body)["tasks"]) == (200, [])
        assert request(server.port, "POST", "/api/tasks/x/cancel").status == 404
        version = {"request_id": "me", "version": "1"}
        announced = request(
            server.port, "POST", "/api/testing/deployments/version", json_body=version
        )
        assert announced.status == 202
        assert request(server.port, "GET", "/metrics").status == 200
