"""Floods of tasks: the effects of one task or one client are bounded."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator

import pytest

from app.bench.measured.process_figures import resident_bytes
from tests.faults.attacks.user_tasks import APP_TASKS
from tests.faults.canary.canary import MAX_RATIO, disturbance
from tests.faults.conftest import Tally
from tests.faults.floods.raw_stream import RawStream
from tests.support.backend_client import metric, start_task
from tests.support.http.client import Response, request
from tests.support.processes.server import GunicornServer, Server
from tests.support.timing import TIME_LIMIT, wait_until


@pytest.fixture
def server() -> Iterator[GunicornServer]:
    """Start a backend with the tasks of the attacks."""
    with GunicornServer(env={"APP_TASKS": APP_TASKS}) as server:
        yield server


def cancel(server: Server, *tasks: str) -> None:
    """Cancel tasks."""
    for task in tasks:
        request(server.port, "POST", f"/api/tasks/{task}/cancel")


@contextlib.contextmanager
def running(server: Server, task_type: str, count: int = 4, **params: object) -> Iterator[None]:
    """Run ``count`` tasks during the block, and cancel them at its end."""
    tasks = [start_task(server, task_type, **params) for _ in range(count)]
    try:
        yield
    finally:
        cancel(server, *tasks)


@pytest.mark.parametrize("task_type", ["endless_progress_task", "native_endless_progress_task"])
def test_tasks_that_report_without_pause(
    server: GunicornServer, tally: Tally, task_type: str
) -> None:
    """Tasks that report without pause delay no other request, and streams get all reports."""
    with contextlib.ExitStack() as stack:
        readers = [stack.enter_context(RawStream(server.port)) for _ in range(4)]
        found = disturbance(server.port, lambda: running(server, task_type, seconds=60.0))
        assert found.failed == 0, found
        assert found.ratio < MAX_RATIO, found
        for reader in readers:
            wait_until(lambda r=reader: r.received.count(b"task_cancelled") == 8, "the ends")  # type: ignore[misc]
        arrived = 0
        for reader in readers:
            stories = reader.reports()
            assert len(stories) == 8
            for numbers in stories.values():
                assert numbers == list(range(1, len(numbers) + 1))
            arrived += sum(map(len, stories.values()))
    tally(
        f"4 tasks that report without pause ({task_type}), 4 streams", arrived, arrived, "nothing"
    )


@contextlib.contextmanager
def repeated(action: Callable[[], object]) -> Iterator[None]:
    """Repeat an action on a thread during the block."""
    stop = threading.Event()

    def run() -> None:
        while not stop.is_set():
            action()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(TIME_LIMIT)


def test_thousands_of_finished_tasks(server: GunicornServer) -> None:
    """Of thousands of finished tasks the oldest are dropped, and memory does not grow."""

    def fill(count: int) -> None:
        for _ in range(count):
            answer = request(
                server.port,
                "POST",
                "/api/tasks",
                json_body={"task_type": "quick_task", "params": {"filling": "x" * 1000}},
            )
            assert answer.status in (202, 503)

    def finished() -> float:
        return metric(server, 'tasks_total{status="completed",task_type="quick_task"}')

    fill(1200)
    pid = server.worker_pid()
    before = resident_bytes(pid)
    start = finished()
    fill(600)
    wait_until(lambda: finished() - start >= 600, "the tasks")
    assert resident_bytes(pid) < 1.1 * before
    page = request(server.port, "GET", "/api/tasks")
    body = json.loads(page.body)
    assert (len(body["tasks"]), len(page.body) < 50_000) == (100, True)
    fetch_list = lambda: request(server.port, "GET", "/api/tasks")  # noqa: E731
    found = disturbance(server.port, lambda: repeated(fetch_list), seconds=1.0)
    assert found.failed == 0, found
    assert found.ratio < MAX_RATIO, found
    listed, before_id = 0, None
    while True:
        query = "" if before_id is None else f"?before={before_id}"
        body = json.loads(request(server.port, "GET", f"/api/tasks{query}").body)
        listed += len(body["tasks"])
        if (before_id := body["next"]) is None:
            break
    assert listed <= 1000


def test_large_results_are_dropped_in_time(server: GunicornServer) -> None:
    """Large results are kept only within the budget, so memory does not grow."""

    def fill() -> None:
        for _ in range(60):
            task = start_task(server, "large_result_task", size=3_000_000)
            wait_until(lambda task=task: is_over(server, task), "the task")  # type: ignore[misc]

    fill()
    pid = server.worker_pid()
    before = resident_bytes(pid)
    fill()
    assert resident_bytes(pid) < 1.1 * before
    assert before < 200 * 1024 * 1024


def is_over(server: Server, task: str) -> bool:
    """Return True if a task is the newest task and has completed."""
    (summary,) = json.loads(request(server.port, "GET", "/api/tasks?limit=1").body)["tasks"]
    return (summary["task_id"], summary["status"]) == (task, "completed")


def test_large_parameters_wait_within_bounds(server: GunicornServer) -> None:
    """Tasks with 90 KB of parameters are refused when the waiting tasks exceed the budget."""
    statuses = []
    with running(server, "waiting_task"):
        for _ in range(300):
            body = {"task_type": "waiting_task", "params": {"filling": "x" * 90_000}}
            statuses.append(request(server.port, "POST", "/api/tasks", json_body=body))
        refused = [answer for answer in statuses if answer.status == 503]
        assert len(refused) == 300 - 8 * 1024 * 1024 // 90_020
        assert refused[0].head.get("Retry-After") == "10"
        reason = 'requests_refused_total{reason="task_line_bytes"}'
        assert metric(server, reason) == len(refused)
        accepted = [json.loads(answer.body)["task_id"] for answer in statuses[:93]]
        cancel(server, *accepted)


def test_one_client_cannot_lock_the_others_out(server: GunicornServer) -> None:
    """A client that fills its share of the queue does not delay the task of another client."""

    def start(client: str, task_type: str) -> Response:
        body = {"task_type": task_type, "params": {}}
        forwarded = [("X-Forwarded-For", client)]
        return request(server.port, "POST", "/api/tasks", headers=forwarded, json_body=body)

    answers = [start("198.51.100.7", "waiting_task") for _ in range(120)]
    statuses = [answer.status for answer in answers]
    assert statuses == [202] * 100 + [503] * 20
    assert metric(server, 'requests_refused_total{reason="tasks_per_address"}') == 20
    other = start("198.51.100.8", "quick_task")
    assert json.loads(other.body)["status"] == "running"
    finished = 'tasks_total{status="completed",task_type="quick_task"}'
    wait_until(lambda: metric(server, finished) == 1, "the other client's task")
    cancel(server, *(json.loads(answer.body)["task_id"] for answer in answers[:100]))
