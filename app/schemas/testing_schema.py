"""The bodies of the testing API, which browser tests use to make things happen."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.schemas.sse_gateway_schema import RequestId

__all__ = ["DeploymentVersionRequest", "TestingTaskRequest"]


class DeploymentVersionRequest(BaseModel):
    """A version to announce.

    Args:
        request_id: whose pending version it becomes.
        version: the version.
        changelog: what is new in it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    request_id: RequestId
    version: Annotated[str, Field(min_length=1, max_length=200)]
    changelog: Annotated[str, Field(max_length=20_000)] | None = None


class TestingTaskRequest(BaseModel):
    """A demonstration task to start.

    Args:
        task_type: which.
        params: its parameters.
    """

    __test__ = False  # pytest would take it for a test by its name

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    task_type: Literal["demo_task", "failing_task"]
    params: dict[str, Any] = Field(default_factory=dict)
