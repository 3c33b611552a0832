"""docs/migrating.md: its calls, fields, methods and errors exist."""

from __future__ import annotations

import importlib
import re

import pytest

from app import errors
from app.errors import AppError
from app.lifecycle import ShutdownCoordinator
from app.schemas.task_schema import TaskListResponse, TaskStartResponse, TaskStatusResponse
from app.schemas.testing_schema import (
    DeploymentVersionRequest,
    DeploymentVersionResponse,
    TestingEventRequest,
    TestingEventResponse,
    TestingTaskRequest,
)
from app.services.connection_manager import ConnectionManager
from app.services.version_service import VersionService
from app.tasks.base import BaseTask, TaskProgressHandle
from app.tasks.service import TaskService
from tests.app.conftest import MakeApp, make_app
from tests.app.tasks.task_support import Call, Done, RecordedTasks
from tests.support.processes.server import ROOT

__all__ = ["make_app"]

TEXT = (ROOT / "docs" / "migrating.md").read_text(encoding="utf-8")

CLASSES = (
    BaseTask,
    ConnectionManager,
    ShutdownCoordinator,
    TaskProgressHandle,
    TaskService,
    VersionService,
)


def section(name: str) -> str:
    """Return the text below a heading."""
    return TEXT.partition(f"\n## {name}\n")[2].partition("\n## ")[0]


def test_every_call_exists(make_app: MakeApp) -> None:
    """Every method and path in the text is a route of the application."""
    rules = {
        (method, re.sub("<[^>]*>", "<id>", rule.rule))
        for rule in make_app(flask_env="testing").url_map.iter_rules()
        for method in rule.methods or ()
    }
    named = set(re.findall(r"`(GET|POST|DELETE) (/[^`?]*)(?:\?[^`]*)?`", TEXT))
    assert len(named) > 8
    assert named <= rules
    for path in ("/healthz", "/readyz", "/health/healthz", "/health/readyz"):
        assert f"`{path}`" in TEXT
        assert ("GET", path) in rules


@pytest.mark.parametrize(
    ("call", "names"),
    [
        ("POST /api/tasks", TaskStartResponse),
        ("GET /api/tasks", TaskListResponse),
        ("GET /api/tasks/<id>/status", TaskStatusResponse),
        ("POST /api/tasks/<id>/cancel", TaskStartResponse),
        ("POST /api/testing/sse/task-event", TestingEventRequest),
        ("POST /api/testing/sse/task-event", TestingEventResponse),
        ("POST /api/testing/deployments/version", DeploymentVersionRequest),
        ("POST /api/testing/deployments/version", DeploymentVersionResponse),
        ("POST /api/testing/tasks/start", TestingTaskRequest),
        ("POST /api/testing/tasks/start", TaskStartResponse),
    ],
)
def test_fields_are_named(call: str, names: type) -> None:
    """The row of a call has every field of its request and its response."""
    (row,) = re.findall(rf"^\| `{re.escape(call)}`.*$", TEXT, re.M)
    missing = {
        name
        for name in names.model_fields  # type: ignore[attr-defined]
        if f'"{name}"' not in row and f"`{name}`" not in row
    }
    assert missing == set()


def test_methods_and_functions_exist() -> None:
    """Every name before a parenthesis in the table of code is a method or a function."""
    named = set(re.findall(r"`(?:\w+\.)?([a-z_]+)\(", section("Backend code")))
    existing = {name for kind in CLASSES for name in dir(kind)} | {"create_app"}
    assert len(named) > 12
    assert named <= existing


def test_errors_have_the_status_that_is_named() -> None:
    """Every error in the text is an error class of the backend with that status."""
    named = re.findall(r"`(\w+)` (\d{3})", section("Why errors are raised"))
    assert len(named) == 5
    for name, status in named:
        kind = getattr(errors, name)
        assert issubclass(kind, AppError)
        assert int(kind.status) == int(status)


def test_python_names_can_be_imported() -> None:
    """Every dotted name in the text can be imported."""
    for module, name in re.findall(r"`(app(?:\.[a-z_]+)+)\.([A-Z]\w+)`", TEXT):
        assert hasattr(importlib.import_module(module), name)
    for module in re.findall(r"`(app(?:\.[a-z_]+)+)`", TEXT):
        importlib.import_module(module)


def test_the_example_of_a_bool() -> None:
    """The example returns True only if there was a task to cancel."""
    (source,) = re.findall(r"```python\n(.*?)```", TEXT, re.S)
    names: dict[str, object] = {}
    exec(source, names)
    cancel = names["cancel"]
    assert callable(cancel)
    house = RecordedTasks()
    task_id = house.run(Call(lambda handle: Done()))
    assert cancel(house.service, task_id) is False
    assert cancel(house.service, "unknown") is False
    running = house.service.start_task(Call(lambda handle: Done())).task_id
    assert cancel(house.service, running) is True
    house.settle()


def test_links_lead_somewhere() -> None:
    """Links lead to files and headings that exist, and each heading has an entry."""
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", TEXT):
        assert (ROOT / "docs" / target).exists()
    headings = {
        re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^## (.*)$", TEXT, re.M)
    }
    assert set(re.findall(r"\]\(#([^)]*)\)", TEXT)) == headings
