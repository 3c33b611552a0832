"""The bodies of the testing API."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from app.schemas.testing_schema import DeploymentVersionRequest, TestingTaskRequest


def fault(model: type[BaseModel], body: dict[str, Any]) -> tuple[Any, ...]:
    """Where the one fault is that a schema finds in a body."""
    with pytest.raises(ValidationError) as caught:
        model.model_validate(body)
    (error,) = caught.value.errors()
    return error["loc"]


def test_a_version() -> None:
    """A changelog is optional."""
    body = {"request_id": "me", "version": "2"}
    assert DeploymentVersionRequest.model_validate(body).changelog is None
    body["changelog"] = "new"
    assert DeploymentVersionRequest.model_validate(body).model_dump() == body


@pytest.mark.parametrize(
    ("changes", "loc"),
    [
        ({"request_id": "a:b"}, ("request_id",)),
        ({"request_id": ""}, ("request_id",)),
        ({"version": ""}, ("version",)),
        ({"version": "x" * 201}, ("version",)),
        ({"version": 2}, ("version",)),
        ({"changelog": "x" * 20_001}, ("changelog",)),
        ({"change_log": "x"}, ("change_log",)),
    ],
)
def test_no_version(changes: dict[str, Any], loc: tuple[str, ...]) -> None:
    """A misspelt, mistyped or oversized field is a fault."""
    assert fault(DeploymentVersionRequest, {"request_id": "me", "version": "2", **changes}) == loc


def test_a_task() -> None:
    """Parameters are optional."""
    assert TestingTaskRequest.model_validate({"task_type": "demo_task"}).params == {}


@pytest.mark.parametrize(
    ("changes", "loc"),
    [
        ({"task_type": "digest_tree"}, ("task_type",)),
        ({"params": []}, ("params",)),
        ({"parameters": {}}, ("parameters",)),
    ],
)
def test_no_task(changes: dict[str, Any], loc: tuple[str, ...]) -> None:
    """Only the two demonstration tasks, with an object of parameters."""
    assert fault(TestingTaskRequest, {"task_type": "failing_task", **changes}) == loc
