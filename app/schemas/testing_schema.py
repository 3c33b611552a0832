"""The bodies of the testing API, with which browser tests cause events."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import to_json

from app.schemas.sse_gateway_schema import RequestId
from app.schemas.task_schema import TaskEventType

__all__ = [
    "DeploymentVersionRequest",
    "DeploymentVersionResponse",
    "TestingEventRequest",
    "TestingEventResponse",
    "TestingTaskRequest",
]


def _check_sendable(data: Any) -> Any:
    try:
        to_json(data)
    except ValueError as exc:
        raise ValueError(
            "cannot be sent as an event: it is nested too deeply or contains half a surrogate pair"
        ) from exc
    return data


class DeploymentVersionRequest(BaseModel):
    """A version to announce.

    Args:
        request_id: the request id whose pending version it becomes.
        version: the version.
        changelog: the changes in the version.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    request_id: RequestId
    version: Annotated[str, Field(min_length=1, max_length=200)]
    changelog: Annotated[str, Field(max_length=20_000)] | None = None


class DeploymentVersionResponse(BaseModel):
    """The outcome of announcing a version.

    Args:
        request_id: the request id whose pending version it is.
        delivered: whether that request id has a stream, and the stream got the version.
        status: ``delivered``, or ``queued`` for the request id's next connect.
    """

    request_id: str
    delivered: bool
    status: Literal["delivered", "queued"]


class TestingEventRequest(BaseModel):
    """A ``task_event`` to send to one stream. The task need not exist.

    Args:
        request_id: the request id of the stream.
        task_id: the id of the task in the event.
        event_type: the kind of event.
        data: the event's data, any JSON.
    """

    __test__ = False  # by its name, pytest would collect it as a test

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    request_id: RequestId
    task_id: Annotated[str, Field(min_length=1, max_length=200)]
    event_type: Annotated[TaskEventType, Field(strict=False)]
    data: Annotated[Any, AfterValidator(_check_sendable)] = Field(default_factory=dict)


class TestingEventResponse(BaseModel):
    """The answer to an event that was sent.

    Args:
        request_id: the request id of the stream that took the event.
        task_id: as in the request.
        event_type: as in the request.
        delivered: always true; an event that was not delivered is answered with an error.
    """

    __test__ = False  # by its name, pytest would collect it as a test

    request_id: str
    task_id: str
    event_type: TaskEventType
    delivered: Literal[True] = True


class TestingTaskRequest(BaseModel):
    """A demonstration task to start.

    Args:
        task_type: the name of the task; by default the one that succeeds.
        params: the parameters of the task.
    """

    __test__ = False  # by its name, pytest would collect it as a test

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    task_type: Literal["demo_task", "failing_task"] = "demo_task"
    params: dict[str, Any] = Field(default_factory=dict)
