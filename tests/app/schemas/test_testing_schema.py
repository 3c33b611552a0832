"""The bodies of the testing API."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from app.schemas.testing_schema import (
    DeploymentVersionRequest,
    TestingEventRequest,
    TestingTaskRequest,
)


def fault(model: type[BaseModel], body: dict[str, Any]) -> tuple[Any, ...]:
    """Return the place of the one fault in a body."""
    with pytest.raises(ValidationError) as caught:
        model.model_validate(body)
    (error,) = caught.value.errors()
    return error["loc"]


def test_a_version() -> None:
    """The changelog of a version is optional."""
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
def test_a_faulty_version(changes: dict[str, Any], loc: tuple[str, ...]) -> None:
    """A misspelled, mistyped or oversized field is a fault."""
    assert fault(DeploymentVersionRequest, {"request_id": "me", "version": "2", **changes}) == loc


def test_a_task() -> None:
    """Both fields are optional; the default is the task that succeeds."""
    assert TestingTaskRequest.model_validate({"task_type": "failing_task"}).params == {}
    assert TestingTaskRequest.model_validate({}).task_type == "demo_task"


@pytest.mark.parametrize(
    ("changes", "loc"),
    [
        ({"task_type": "digest_tree"}, ("task_type",)),
        ({"params": []}, ("params",)),
        ({"parameters": {}}, ("parameters",)),
    ],
)
def test_a_faulty_task(changes: dict[str, Any], loc: tuple[str, ...]) -> None:
    """Only the two demonstration tasks are accepted, with an object of parameters."""
    assert fault(TestingTaskRequest, {"task_type": "failing_task", **changes}) == loc


EVENT = {"request_id": "me", "task_id": "t1", "event_type": "task_started"}


def test_an_event() -> None:
    """The data of an event is optional, and may be any JSON."""
    assert TestingEventRequest.model_validate(EVENT).data == {}
    for data in (None, 5, "x", [1], {"text": "half", "value": 0.5}):
        assert TestingEventRequest.model_validate({**EVENT, "data": data}).data == data


@pytest.mark.parametrize(
    ("changes", "loc"),
    [
        ({"request_id": "a:b"}, ("request_id",)),
        ({"task_id": ""}, ("task_id",)),
        ({"task_id": "x" * 201}, ("task_id",)),
        ({"task_id": "\ud800"}, ("task_id",)),
        ({"task_id": 5}, ("task_id",)),
        ({"event_type": "task_begun"}, ("event_type",)),
        ({"event_type": None}, ("event_type",)),
        ({"event_type": []}, ("event_type",)),
        ({"data": "\ud800"}, ("data",)),
        ({"data": {"\udfff": 1}}, ("data",)),
        ({"data": json.loads("[" * 500 + "]" * 500)}, ("data",)),
        ({"text": "x"}, ("text",)),
    ],
)
def test_a_faulty_event(changes: dict[str, Any], loc: tuple[str, ...]) -> None:
    """A misspelled or mistyped field is a fault, and so is data that cannot be sent."""
    assert fault(TestingEventRequest, {**EVENT, **changes}) == loc
