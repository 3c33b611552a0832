"""Tasks of a server with two workers: any worker knows them, and the end of one is told once."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from app.tasks.run.outcome import LOST_PENDING, LOST_RUNNING
from tests.live.tasks.gated_task import GATED_TASK
from tests.support.backend_client import task_events
from tests.support.http.stream import Stream
from tests.support.processes.server import Server, ServeServer
from tests.support.processes.workers import EachWorker
from tests.support.timing import wait_until

ENV = {
    "FLASK_ENV": "testing",
    "KEEP_ALIVE_SECONDS": "60",
    "APP_TASKS": GATED_TASK,
    "TASK_MAX_WORKERS": "1",
}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Start a server with two workers. Each runs one task at a time."""
    with ServeServer(workers=2, env=ENV) as running:
        yield running
    assert "Traceback" not in running.log


@pytest.fixture
def workers(server: Server) -> Iterator[EachWorker]:
    """Provide requests to each worker."""
    each = EachWorker(server)
    yield each
    each.close()


def start(workers: EachWorker, worker: int, task_type: str, **params: Any) -> str:
    """Start a task in a worker and return its id."""
    body = {"task_type": task_type, "params": params}
    answer = workers.ask(worker, "POST", "/api/tasks", body)
    assert answer.status == 202, answer.body
    return str(json.loads(answer.body)["task_id"])


def get(workers: EachWorker, worker: int, path: str) -> Any:
    """Return the JSON of a worker's answer."""
    answer = workers.ask(worker, "GET", path)
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


def ends(stream: Stream, task_id: str) -> list[str]:
    """Return the types of a task's terminal events that a stream has got."""
    terminal = {"task_completed", "task_failed", "task_cancelled"}
    types = [event["event_type"] for event in task_events(stream.events, task_id)]
    return [each for each in types if each in terminal]


def wait_for_step(stream: Stream, task_id: str) -> None:
    """Wait for the first step of a task."""
    wait_until(lambda: len(task_events(stream.poll().events, task_id)) == 2, "a step")


def wait_for_end(stream: Stream, task_id: str) -> dict[str, Any]:
    """Wait until a task has ended, and return the payload of its last event."""
    wait_until(lambda: ends(stream.poll(), task_id), f"the end of {task_id}")
    return task_events(stream.events, task_id)[-1]


def test_a_task_of_the_other_worker(server: Server, workers: EachWorker, tmp_path: Path) -> None:
    """A task is listed, read, cancelled and removed by the worker that does not run it."""
    first, second = server.worker_pids()
    with workers.stream(first, "a") as a, workers.stream(second, "b") as b:
        task = start(workers, first, "gated_task", steps=2, gate=str(tmp_path / "gate"))
        path = f"/api/tasks/{task}"
        b.wait_for(lambda event: "progress_update" in event.data and task in event.data)
        assert get(workers, second, f"{path}/status")["status"] == "running"
        (listed,) = get(workers, second, "/api/tasks")["tasks"]
        assert (listed["task_id"], listed["status"]) == (task, "running")
        assert workers.ask(second, "DELETE", path).status == 409

        answer = workers.ask(second, "POST", f"{path}/cancel", {})
        assert (answer.status, json.loads(answer.body)["status"]) == (200, "cancelled")
        assert workers.ask(second, "POST", f"{path}/cancel", {}).status == 409
        for worker in (first, second):
            assert get(workers, worker, f"{path}/status")["status"] == "cancelled"
        for stream in (a, b):
            # The event of another task is later in the log than all events of this one.
            wait_for_end(stream, start(workers, second, "demo_task", steps=1, delay=0))
            assert ends(stream, task) == ["task_cancelled"]

        assert workers.ask(second, "DELETE", path).status == 204
        for worker in (first, second):
            assert workers.ask(worker, "GET", f"{path}/status").status == 404
            tasks = get(workers, worker, "/api/tasks")["tasks"]
            assert task not in [each["task_id"] for each in tasks]


def test_a_result_of_the_other_worker(server: Server, workers: EachWorker) -> None:
    """Both workers give the same result of a finished task, and the same list."""
    first, second = server.worker_pids()
    with workers.stream(second, "c") as stream:
        task = start(workers, first, "demo_task", steps=3, delay=0)
        assert wait_for_end(stream, task)["event_type"] == "task_completed"
    found = [get(workers, worker, f"/api/tasks/{task}/status") for worker in (first, second)]
    assert found[0]["result"]["steps"] == 3
    assert found[0] == found[1]
    lists = [get(workers, worker, "/api/tasks")["tasks"] for worker in (first, second)]
    assert lists[0] == lists[1]


def test_a_worker_with_tasks_is_killed(server: Server, workers: EachWorker, tmp_path: Path) -> None:
    """Each task of a killed worker fails once for every browser; the other worker's goes on."""
    first, second = server.worker_pids()
    gate = tmp_path / "gate"
    with ExitStack() as stack:
        lost_stream = stack.enter_context(workers.stream(first, "a"))
        kept_stream = stack.enter_context(workers.stream(second, "b"))
        params = {"steps": 2, "gate": str(gate)}
        running, pending = (start(workers, first, "gated_task", **params) for _ in range(2))
        kept = start(workers, second, "gated_task", **params)
        for stream in (lost_stream, kept_stream):
            for task in (running, kept):
                wait_for_step(stream, task)
        cursor = lost_stream.last_event_id
        os.kill(first, signal.SIGKILL)
        lost_stream.wait_for_end()
        wait_until(lambda: first not in server.worker_pids(), "another worker")
        (new,) = set(server.worker_pids()) - {second}
        back = stack.enter_context(workers.stream(new, "a", [("Last-Event-ID", cursor)]))
        gate.touch()
        for stream in (kept_stream, back):
            assert wait_for_end(stream, running)["data"] == {"error": LOST_RUNNING}
            assert wait_for_end(stream, pending)["data"] == {"error": LOST_PENDING}
            assert wait_for_end(stream, kept)["event_type"] == "task_completed"
            # Events of later tasks come after all that both workers told of the lost ones.
            for worker in (second, new):
                wait_for_end(stream, start(workers, worker, "demo_task", steps=1, delay=0))
            assert ends(stream, running) == ends(stream, pending) == ["task_failed"]
            assert ends(stream, kept) == ["task_completed"]
        for worker in (second, new):
            status = get(workers, worker, f"/api/tasks/{running}/status")
            assert (status["status"], status["error"]) == ("failed", LOST_RUNNING)
