"""The tasks API over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from dependency_injector import providers
from flask import Flask
from flask.testing import FlaskClient
from pydantic import BaseModel
from werkzeug.test import TestResponse

from app.api import tasks
from app.api.errors import register_error_handlers
from app.api.injection import CONTAINER
from app.config import Settings
from app.container import ServiceContainer
from app.tasks.run.line import LineLimits
from tests.app.tasks.task_support import Call, Done, Gate, RecordedTasks

NOTHING = {
    "error": "There is no task nope; finished tasks are forgotten after"
    " 600 s, or sooner if there are many"
}


@pytest.fixture
def recorded() -> Iterator[RecordedTasks]:
    """Return a task service that runs one task, and lets one wait."""
    recorded = RecordedTasks(max_workers=1, max_waiting=1)
    yield recorded
    recorded.end()


@pytest.fixture
def client(recorded: RecordedTasks, tmp_path: Path) -> FlaskClient:
    """Return a client of the tasks API over that service."""
    settings = Settings(_env_file=None, task_files_root=str(tmp_path))
    container = ServiceContainer(settings=settings)
    container.task_service.override(providers.Object(recorded.service))
    app = Flask("small")
    app.extensions[CONTAINER] = container
    register_error_handlers(app)
    app.register_blueprint(tasks.blueprint)
    return app.test_client()


def start(client: FlaskClient, task_type: str = "demo_task", **params: object) -> TestResponse:
    """Ask for the start of a task."""
    return client.post("/api/tasks", json={"task_type": task_type, "params": params})


def answer(response: TestResponse) -> tuple[int, object]:
    """Return the status and the JSON body of an answer."""
    return response.status_code, response.get_json()


def test_a_task_is_started_and_shown(client: FlaskClient, recorded: RecordedTasks) -> None:
    """A start is answered with 202, id and status; the status shows the whole task."""
    response = start(client, steps=2, delay=0)
    assert answer(response) == (202, {"task_id": "t1", "status": "running"})
    assert response.headers["Location"] == "/api/tasks/t1/status"
    recorded.settle()
    shown = client.get("/api/tasks/t1/status")
    assert shown.status_code == 200
    body = shown.get_json()
    assert [body.pop(name) is not None for name in ("created_at", "started_at", "finished_at")] == [
        True
    ] * 3
    assert body == {
        "last_event_id": None,
        "task_id": "t1",
        "task_type": "demo_task",
        "status": "completed",
        "progress": {"text": "Step 2 of 2", "value": 1.0},
        "error": None,
        "result": {"success": True, "error_message": None, "status": "success", "steps": 2},
    }
    listed = client.get("/api/tasks").get_json()
    assert listed["task_types"] == ["demo_task", "digest_tree", "failing_task"]
    assert [(t["task_id"], t["status"], "result" in t) for t in listed["tasks"]] == [
        ("t1", "completed", False)
    ]


def test_params_may_be_left_out(client: FlaskClient, recorded: RecordedTasks) -> None:
    """A task whose parameters have defaults can be started without parameters."""
    assert client.post("/api/tasks", json={"task_type": "failing_task"}).status_code == 202
    recorded.service.cancel_task("t1")
    recorded.settle()


@pytest.mark.parametrize(
    ("body", "content_type", "status", "error"),
    [
        ("", "application/json", 400, "Missing JSON body"),
        ("", None, 400, "Missing JSON body"),
        ("{", "application/json", 400, "Invalid JSON"),
        ("nope", "application/vnd.tasks+json", 400, "Invalid JSON"),
        ('{"task_type": NaN}', "application/json", 400, "Invalid JSON"),
        (
            '{"task_type": "demo_task"}',
            "text/plain",
            415,
            "The body must be JSON: send Content-Type: application/json",
        ),
        ("{", None, 415, "The body must be JSON: send Content-Type: application/json"),
        ('{"task_type": "sleep"}', "application/json", 400, "Unknown task type: sleep; allowed: "
         "demo_task, digest_tree, failing_task"),
        ('{"task_type": "demo_task", "params": {"steps": "x"}}', "application/json", 400,
         "Invalid params for demo_task; allowed: steps, delay"),
        ('{"task_type": "digest_tree", "params": {"path": "../x"}}', "application/json", 400,
         "Invalid params for digest_tree: the path must not contain '..';"
         " name a directory relative to TASK_FILES_ROOT"),
        *[
            (body, "application/json", 400, "Invalid task request; expected an object with"
             " task_type (a string) and params (an object, optional)")
            for body in ("[]", "null", "{}", '{"task_type": 1}', '{"task_type": "x", "more": 1}',
                         '{"task_type": "demo_task", "params": []}')
        ],
    ],
)  # fmt: skip
def test_a_wrong_start_says_what_is_allowed(
    client: FlaskClient,
    recorded: RecordedTasks,
    body: str,
    content_type: str | None,
    status: int,
    error: str,
) -> None:
    """A wrong start is refused with what is allowed, and nothing is started."""
    response = client.post("/api/tasks", data=body, content_type=content_type)
    assert (response.status_code, response.get_json()["error"]) == (status, error)
    assert recorded.service.list_tasks().tasks == []


def test_a_validation_error_has_details(client: FlaskClient) -> None:
    """The answer has one entry for each fault."""
    assert start(client, steps=0).get_json()["details"] == [
        {
            "loc": ["steps"],
            "msg": "Input should be greater than or equal to 1",
            "type": "greater_than_equal",
        }
    ]


def test_a_running_task_can_be_cancelled_once(client: FlaskClient, recorded: RecordedTasks) -> None:
    """A running task can be cancelled; a second cancel is a conflict."""
    gate = Gate()
    recorded.service.start_task(gate)
    response = client.post("/api/tasks/t1/cancel")
    assert answer(response) == (200, {"task_id": "t1", "status": "cancelled"})
    again = client.post("/api/tasks/t1/cancel")
    assert answer(again) == (
        409,
        {"error": "Task t1 is cancelled already; only a pending or running task can be cancelled"},
    )
    recorded.settle()


def test_only_a_finished_task_can_be_removed(client: FlaskClient, recorded: RecordedTasks) -> None:
    """A finished task can be removed; a running task is a conflict."""
    gate = Gate()
    recorded.service.start_task(gate)
    response = client.delete("/api/tasks/t1")
    assert answer(response) == (
        409,
        {"error": "Task t1 is running; cancel it before you remove it"},
    )
    gate.opened.set()
    recorded.settle()
    response = client.delete("/api/tasks/t1")
    assert (response.status_code, response.data) == (204, b"")
    assert client.get("/api/tasks/t1/status").status_code == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/tasks/nope/status"),
        ("POST", "/api/tasks/nope/cancel"),
        ("DELETE", "/api/tasks/nope"),
    ],
)
def test_an_unknown_task_is_not_found(client: FlaskClient, method: str, path: str) -> None:
    """A request that names an unknown task is answered with 404."""
    assert answer(client.open(path, method=method)) == (404, NOTHING)


def test_no_task_is_started_during_a_shutdown(client: FlaskClient, recorded: RecordedTasks) -> None:
    """A start during the shutdown is a conflict, and the answer says why."""
    recorded.coordinator.shutdown()
    response = start(client)
    assert answer(response) == (409, {"error": "The server is shutting down; no task is started"})


def test_the_queue_is_bounded(client: FlaskClient, recorded: RecordedTasks) -> None:
    """A start with a full queue is answered with 503; the same request works later."""
    gate = Gate()
    recorded.service.start_task(gate)
    assert start(client, delay=0).get_json() == {"task_id": "t2", "status": "pending"}
    response = start(client)
    assert answer(response) == (
        503,
        {"error": "The line of waiting tasks is full (limit 1); try again later"},
    )
    gate.opened.set()
    recorded.settle()
    assert start(client, delay=0).status_code == 202
    recorded.settle()


def listed(client: FlaskClient, query: str = "") -> tuple[list[str], str | None]:
    """Return the ids of a page, and the value of next."""
    body = client.get(f"/api/tasks{query}").get_json()
    return [task["task_id"] for task in body["tasks"]], body["next"]


def test_the_list_has_pages(client: FlaskClient, recorded: RecordedTasks) -> None:
    """Following next shows all tasks, newest first; every page has the types of tasks."""
    for _ in range(5):
        recorded.run(Call(lambda handle: Done()))
    first, following = listed(client, "?limit=2")
    second, more = listed(client, f"?limit=2&before={following}")
    last, end = listed(client, f"?limit=2&before={more}")
    assert (first, second, last, end) == (["t5", "t4"], ["t3", "t2"], ["t1"], None)
    assert listed(client) == (["t5", "t4", "t3", "t2", "t1"], None)
    assert listed(client, "?before=0") == ([], None)
    assert "demo_task" in client.get("/api/tasks?limit=1").get_json()["task_types"]


@pytest.mark.parametrize("limit", ["0", "101", "-1", "x", "", "1.5", "\u0661", "9" * 5000])
def test_a_wrong_limit_says_what_is_allowed(client: FlaskClient, limit: str) -> None:
    """A wrong limit is refused with a short answer, however long the limit is."""
    response = client.get("/api/tasks", query_string={"limit": limit})
    assert response.status_code == 400
    assert response.get_json()["error"].endswith("; it must be from 1 to 100")
    assert len(response.data) < 100


@pytest.mark.parametrize("before", ["x", "", "-1", "9" * 20, "t1", "\u0661"])
def test_a_wrong_cursor_says_what_is_allowed(client: FlaskClient, before: str) -> None:
    """A cursor must be the value of next in an earlier answer."""
    response = client.get("/api/tasks", query_string={"before": before})
    assert (response.status_code, response.get_json()["error"]) == (
        400,
        'before must be the "next" of an earlier answer, or be left out',
    )


def test_omitted_fields_are_named(client: FlaskClient, recorded: RecordedTasks) -> None:
    """The status of a task with a large result names the fields that are missing."""

    class Two(BaseModel):
        small: int = 1
        large: str = "x" * 5_000_000

    recorded.run(Call(lambda handle: Two()))
    body = client.get("/api/tasks/t1/status").get_json()
    assert (body["result"], body["omitted"]) == ({"small": 1}, ["large"])


def test_a_full_queue_says_when_to_try_again(client: FlaskClient, recorded: RecordedTasks) -> None:
    """A start with a full queue is answered with Retry-After, and counted."""
    for _ in range(2):
        recorded.service.start_task(Gate())
    response = start(client)
    assert (response.status_code, response.headers["Retry-After"]) == (503, "10")
    assert response.get_json() == {
        "error": "The line of waiting tasks is full (limit 1); try again later"
    }
    assert recorded.refusals.by_reason["task_line"] == 1


def test_the_tasks_of_an_address_are_bounded(client: FlaskClient, recorded: RecordedTasks) -> None:
    """An address can have a number of tasks; other addresses and loopback are not affected."""
    recorded.service._conductor._line._limits = LineLimits(running=4, per_client=2)

    def status(address: str) -> int:
        body = {"task_type": "failing_task", "params": {"delay": 60}}
        environ = {"REMOTE_ADDR": address}
        return client.post("/api/tasks", json=body, environ_base=environ).status_code

    found = [status(a) for a in ("192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.2", "127.0.0.1")]
    assert found == [202, 202, 503, 202, 202]
    assert recorded.refusals.by_reason["tasks_per_address"] == 1


def test_the_parameters_count_as_they_were_sent(
    client: FlaskClient, recorded: RecordedTasks
) -> None:
    """The size of the parameters of all waiting tasks is bounded."""
    recorded.service._conductor._line._limits = LineLimits(running=1, waiting_bytes=104)
    recorded.service.start_task(Gate())
    sizes = [start(client, delay=0.0, steps=1).status_code for _ in range(9)]
    assert sizes == [202] * 4 + [503] * 5  # {"delay": 0.0, "steps": 1} has 26 bytes
    assert recorded.refusals.by_reason["task_line_bytes"] == 5
