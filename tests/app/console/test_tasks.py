"""The JSON of the page Tasks."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dependency_injector import providers
from flask import Flask
from flask.testing import FlaskClient
from pydantic import BaseModel, Field, SecretStr

from app.api.errors import register_error_handlers
from app.api.injection import CONTAINER
from app.config import Settings
from app.console import tasks
from app.container import ServiceContainer
from app.tasks.base import BaseTask, TaskProgressHandle
from tests.app.conftest import MakeApp
from tests.app.tasks.task_support import Done, RecordedTasks

PATH = "/console/api/tasks"


class PostParams(BaseModel):
    """Params with a secret."""

    address: str = "a"
    token: SecretStr = SecretStr("")


class OddTask(BaseTask):
    """A task with values that JSON does not have."""

    class Params(BaseModel):
        """The params."""

        limit: float = math.inf
        place: Path = Field(default=Path("/"), examples=[Path("/x")])

    params_model = Params

    def execute(self, progress_handle: TaskProgressHandle, **kwargs: Any) -> Done:
        """Never run."""
        return Done()


class PostTask(BaseTask):
    """A task with a secret."""

    params_model = PostParams

    def execute(self, progress_handle: TaskProgressHandle, **kwargs: Any) -> Done:
        """Return at once."""
        return Done()


class BrokenTask(BaseTask):
    """A task that can be made when the server starts, and later no more."""

    made = 0

    def __init__(self) -> None:
        raise OSError("no more")

    def execute(self, progress_handle: TaskProgressHandle, **kwargs: Any) -> Done:
        """Never run."""
        return Done()


@pytest.fixture
def recorded() -> Iterator[RecordedTasks]:
    """Return a task service that runs one task, and lets one wait."""
    recorded = RecordedTasks(max_workers=1, max_waiting=1)
    yield recorded
    recorded.end()


@pytest.fixture
def client(recorded: RecordedTasks) -> FlaskClient:
    """Return a client of the console's tasks over that service."""
    names = ",".join(f"{__name__}:{task.__name__}" for task in (PostTask, OddTask, BrokenTask))
    container = ServiceContainer(settings=Settings(_env_file=None, app_tasks=names))
    container.task_service.override(providers.Object(recorded.service))
    app = Flask("small")
    app.extensions[CONTAINER] = container
    register_error_handlers(app)
    app.register_blueprint(tasks.blueprint)
    return app.test_client()


def start(client: FlaskClient, task_type: str, **params: object) -> Any:
    """Start a task, and return the answer."""
    return client.post("/console/api/tasks", json={"task_type": task_type, "params": params})


def test_a_task(client: FlaskClient, recorded: RecordedTasks) -> None:
    """The views of /api/tasks answer here; each path is below the console."""
    response = start(client, "demo_task", steps=1, delay=0)
    assert response.status_code == 202
    assert response.headers["Location"] == "/console/api/tasks/t1/status"
    recorded.settle()
    assert client.get(response.headers["Location"]).get_json()["result"]["steps"] == 1
    listed = client.get("/console/api/tasks?limit=1").get_json()
    assert [task["task_id"] for task in listed["tasks"]] == ["t1"]
    assert client.post("/console/api/tasks/t1/cancel").status_code == 409
    assert client.delete("/console/api/tasks/t1").status_code == 204
    assert client.get("/console/api/tasks/t1/params").status_code == 404


def test_the_params_are_remembered(client: FlaskClient, recorded: RecordedTasks) -> None:
    """They are what was sent, without secrets, also when the task is over."""
    start(client, "demo_task", steps=1, delay=0)
    start(client, "post_task", address="b", token="s3cret")
    recorded.settle()
    answers = [client.get(f"/console/api/tasks/{name}/params").get_json() for name in ("t1", "t2")]
    assert answers == [
        {"params": {"steps": 1, "delay": 0}, "left_out": []},
        {"params": {"address": "b"}, "left_out": ["token"]},
    ]


def test_params_that_are_not_remembered(client: FlaskClient, recorded: RecordedTasks) -> None:
    """The params of a task that the server itself has started are not known."""
    recorded.service.start_task(PostTask(), address="b", token="t")
    assert client.get("/console/api/tasks/t1/params").get_json() == {"params": None, "left_out": []}
    answer = client.post("/console/api/tasks/t1/retry")
    assert (answer.status_code, answer.get_json()["error"]) == (
        409,
        "The server does not remember the params of this task; enter them, and start it",
    )


def test_a_retry(client: FlaskClient, recorded: RecordedTasks) -> None:
    """A task is started again with exactly the same params, unless a secret is missing."""
    start(client, "demo_task", steps=1, delay=0.0)
    start(client, "post_task", address="b", token="s3cret")
    recorded.settle()
    answer = client.post("/console/api/tasks/t1/retry")
    assert (answer.status_code, answer.headers["Location"]) == (202, f"{PATH}/t3/status")
    assert client.get(f"{PATH}/t3/params").get_data() == client.get(f"{PATH}/t1/params").get_data()
    answer = client.post(f"{PATH}/t2/retry")
    assert (answer.status_code, answer.get_json()["error"]) == (
        409,
        "The server does not remember secrets; enter them again, and start the task: token",
    )
    assert client.post(f"{PATH}/t9/retry").status_code == 404


def test_the_task_types(client: FlaskClient) -> None:
    """Each type has a form. A type whose constructor fails still accepts any params."""
    types = client.get("/console/api/task-types").get_json()["task_types"]
    assert [form["name"] for form in types] == [
        "broken_task",
        "demo_task",
        "failing_task",
        "odd_task",
        "post_task",
    ]
    assert types[0] == {"name": "broken_task", "help": "", "fields": [], "accepts_more": True}
    assert [field["name"] for field in types[2]["fields"]] == ["steps", "delay", "error_message"]
    limit, place = types[3]["fields"]
    assert (limit["default"], place["default"]) == (None, "/")
    assert place["example"] == "/x"


def test_the_application_has_it(make_app: MakeApp) -> None:
    """The factory registers the blueprint."""
    answer = make_app().test_client().get("/console/api/task-types")
    assert [form["name"] for form in answer.get_json()["task_types"]] == [
        "demo_task",
        "failing_task",
    ]
