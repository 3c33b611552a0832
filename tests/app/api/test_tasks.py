"""The tasks API over HTTP."""

from __future__ import annotations

import pytest
from dependency_injector import providers
from flask import Flask

from app.api import tasks
from app.api.errors import register_error_handlers
from app.api.injection import CONTAINER
from app.config import Settings
from app.services.container import ServiceContainer
from tests.app.services.task_support import Gate, House

NOTHING = {"error": "There is no task nope; finished tasks are forgotten after 600 s"}


@pytest.fixture
def house():
    """One slot, and a line of one."""
    return House(max_workers=1, max_waiting=1)


@pytest.fixture
def client(house, tmp_path):
    """A client of the tasks API, over the house's service."""
    settings = Settings(_env_file=None, task_files_root=str(tmp_path))
    container = ServiceContainer(settings=settings)
    container.task_service.override(providers.Object(house.service))
    app = Flask("small")
    app.extensions[CONTAINER] = container
    register_error_handlers(app)
    app.register_blueprint(tasks.blueprint)
    return app.test_client()


def start(client, task_type="demo_task", **params):
    """Ask for a task."""
    return client.post("/api/tasks", json={"task_type": task_type, "params": params})


def test_a_task_is_started_and_shown(client, house):
    """202 with id and status, then its whole story."""
    response = start(client, steps=2, delay=0)
    assert (response.status_code, response.get_json()) == (
        202,
        {"task_id": "t1", "status": "running"},
    )
    assert response.headers["Location"] == "/api/tasks/t1/status"
    house.settle()
    shown = client.get("/api/tasks/t1/status")
    assert shown.status_code == 200
    body = shown.get_json()
    assert [body.pop(name) is not None for name in ("created_at", "started_at", "finished_at")] == [
        True
    ] * 3
    assert body == {
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


def test_params_may_be_left_out(client, house):
    """A task with defaults needs none."""
    assert client.post("/api/tasks", json={"task_type": "failing_task"}).status_code == 202
    house.service.cancel_task("t1")
    house.settle()


@pytest.mark.parametrize(
    ("body", "content_type", "status", "error"),
    [
        ("", "application/json", 400, "Missing JSON body"),
        ("", None, 400, "Missing JSON body"),
        ("{", "application/json", 400, "Invalid JSON"),
        ("nope", None, 400, "Invalid JSON"),
        ('{"task_type": NaN}', "application/json", 400, "Invalid JSON"),
        (
            '{"task_type": "demo_task"}',
            "text/plain",
            415,
            "The body is JSON; say so: Content-Type: application/json",
        ),
        ('{"task_type": "sleep"}', "application/json", 400, "Unknown task type: sleep; allowed: "
         "demo_task, digest_tree, failing_task"),
        ('{"task_type": "demo_task", "params": {"steps": "x"}}', "application/json", 400,
         "Invalid params for demo_task; allowed: steps, delay"),
        ('{"task_type": "digest_tree", "params": {"path": "../x"}}', "application/json", 400,
         "Invalid params for digest_tree: the path must not hold '..';"
         " allowed is a directory relative to TASK_FILES_ROOT"),
        *[
            (body, "application/json", 400, "Invalid task request; allowed is an object with"
             " task_type (a string) and params (an object, optional)")
            for body in ("[]", "null", "{}", '{"task_type": 1}', '{"task_type": "x", "more": 1}',
                         '{"task_type": "demo_task", "params": []}')
        ],
    ],
)  # fmt: skip
def test_a_wrong_start_is_told_what_is_allowed(client, house, body, content_type, status, error):
    """Each with its status, and nothing is started."""
    response = client.post("/api/tasks", data=body, content_type=content_type)
    assert (response.status_code, response.get_json()["error"]) == (status, error)
    assert house.service.list_tasks() == []


def test_a_validation_error_has_details(client):
    """One for each fault."""
    assert start(client, steps=0).get_json()["details"] == [
        {
            "loc": ["steps"],
            "msg": "Input should be greater than or equal to 1",
            "type": "greater_than_equal",
        }
    ]


def test_a_running_task_can_be_cancelled_once(client, house):
    """Then it is over, and a second cancel is a conflict."""
    gate = Gate()
    house.service.start_task(gate)
    response = client.post("/api/tasks/t1/cancel")
    assert (response.status_code, response.get_json()) == (
        200,
        {"task_id": "t1", "status": "cancelled"},
    )
    again = client.post("/api/tasks/t1/cancel")
    assert (again.status_code, again.get_json()) == (
        409,
        {"error": "Task t1 is cancelled already; only a pending or running task can be cancelled"},
    )
    house.settle()


def test_a_finished_task_can_be_forgotten_and_a_running_one_not(client, house):
    """204 and gone, or 409."""
    gate = Gate()
    house.service.start_task(gate)
    response = client.delete("/api/tasks/t1")
    assert (response.status_code, response.get_json()) == (
        409,
        {"error": "Task t1 is running; cancel it before you remove it"},
    )
    gate.opened.set()
    house.settle()
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
def test_an_unknown_task_is_not_found(client, method, path):
    """Wherever one is named."""
    response = client.open(path, method=method)
    assert (response.status_code, response.get_json()) == (404, NOTHING)


def test_no_task_is_started_during_a_shutdown(client, house):
    """A conflict, in words."""
    house.coordinator.shutdown()
    response = start(client)
    assert (response.status_code, response.get_json()) == (
        409,
        {"error": "The server is shutting down; no task is started"},
    )


def test_the_line_is_bounded(client, house):
    """A full one is 503: the same call works later."""
    gate = Gate()
    house.service.start_task(gate)
    assert start(client, delay=0).get_json() == {"task_id": "t2", "status": "pending"}
    response = start(client)
    assert (response.status_code, response.get_json()) == (
        503,
        {"error": "The line is full, 1 waiting; try again later"},
    )
    gate.opened.set()
    house.settle()
    assert start(client, delay=0).status_code == 202
    house.settle()
