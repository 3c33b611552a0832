"""Tasks over the end of their process: the worker is killed, and the server is restarted."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

from app.tasks.run.outcome import LOST_RUNNING
from tests.live.tasks.gated_task import GATED_TASK
from tests.support.backend_client import connect, start_task, task_events, task_story
from tests.support.http.client import request
from tests.support.processes.process_table import only_descendant
from tests.support.processes.server import Server, ServeServer
from tests.support.timing import wait_until


def get(server: Server, path: str) -> Any:
    """Return the JSON of an answer."""
    answer = request(server.port, "GET", path)
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


def test_a_killed_worker_and_a_restart(tmp_path: Path) -> None:
    """A running task of a killed worker fails once, with the reason; finished tasks stay.

    A browser that was connected comes back, and gets one event about it. After a restart of the
    server both tasks are there, in their order.
    """
    env = {"APP_TASKS": GATED_TASK, "SSE_STATE_DIR": str(tmp_path / "state")}
    with ServeServer(env=env) as server:
        with connect(server) as browser:
            done = start_task(server, "demo_task", steps=1, delay=0)
            task_story(browser, done)
            lost = start_task(server, "gated_task", steps=2, gate=str(tmp_path / "gate"))
            browser.wait_for(lambda event: "progress_update" in event.data and lost in event.data)
            cursor = browser.events[-1].last_event_id
            worker = server.worker_pid()
            os.kill(worker, signal.SIGKILL)
        wait_until(lambda: only_descendant(server.pid) not in (worker, None), "another worker")
        with connect(server, headers=[("Last-Event-ID", cursor)]) as browser:
            assert task_story(browser, lost)[-1]["data"] == {"error": LOST_RUNNING}
            status = get(server, f"/api/tasks/{lost}/status")
            assert (status["status"], status["error"]) == ("failed", LOST_RUNNING)
            # What comes after the event: a task of the new worker, from its start to its end.
            task_story(browser, start_task(server, "demo_task", steps=1, delay=0))
            ends = [event["event_type"] for event in task_events(browser.events, lost)]
            assert ends.count("task_failed") == 1
        before = get(server, "/api/tasks")["tasks"]
        assert [task["status"] for task in before] == ["completed", "failed", "completed"]
        result = get(server, f"/api/tasks/{done}/status")["result"]
    with ServeServer(env=env) as server:
        assert get(server, "/api/tasks")["tasks"] == before
        assert get(server, f"/api/tasks/{done}/status")["result"] == result
        assert "not saved" not in server.log
