"""The messages about tasks."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from app.schemas.task_schema import (
    TaskEvent,
    TaskEventType,
    TaskListResponse,
    TaskProgress,
    TaskStartRequest,
    TaskStartResponse,
    TaskStatus,
    TaskStatusResponse,
    TaskSummary,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_the_words_on_the_wire_are_fixed() -> None:
    """The words on the wire are fixed, because browsers compare with them."""
    assert [status.value for status in TaskStatus] == [
        "pending",
        "running",
        "completed",
        "failed",
        "cancelled",
    ]
    assert [event_type.value for event_type in TaskEventType] == [
        "task_started",
        "progress_update",
        "task_completed",
        "task_failed",
        "task_cancelled",
    ]


def test_a_start_request_needs_a_type_and_takes_params() -> None:
    """A start needs a task type; its parameters may be left out."""
    assert TaskStartRequest.model_validate({"task_type": "x"}).params == {}
    assert TaskStartRequest.model_validate({"task_type": "x", "params": {"a": 1}}).params == {
        "a": 1
    }


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        None,
        {"task_type": None},
        {"task_type": 1},
        {"task_type": "x", "params": None},
        {"task_type": "x", "params": []},
        {"task_type": "x", "more": 1},
    ],
)
def test_other_start_requests_are_refused(body: dict[str, Any]) -> None:
    """Any other start request does not fit its schema."""
    with pytest.raises(ValidationError):
        TaskStartRequest.model_validate(body)


def test_a_start_is_answered_with_id_and_status_alone() -> None:
    """The answer to a start has no stream_url, because there is one stream for everything."""
    answer = TaskStartResponse(task_id="t1", status=TaskStatus.PENDING)
    assert answer.model_dump(mode="json") == {"task_id": "t1", "status": "pending"}


def test_an_event_is_written_as_plain_json() -> None:
    """An event is plain JSON; its time is ISO 8601 in UTC."""
    event = TaskEvent(
        event_type=TaskEventType.TASK_FAILED, task_id="t1", timestamp=NOW, data={"error": "x"}
    )
    assert event.model_dump(mode="json", exclude={"omitted"}) == {
        "event_type": "task_failed",
        "task_id": "t1",
        "timestamp": "2026-01-01T00:00:00Z",
        "data": {"error": "x"},
    }


def test_a_list_shows_no_results() -> None:
    """A list has no results; a status has one."""
    common = {
        "task_id": "t1",
        "task_type": "x",
        "status": TaskStatus.PENDING,
        "created_at": NOW,
        "progress": TaskProgress(),
    }
    shown = {
        "task_id": "t1",
        "task_type": "x",
        "status": "pending",
        "created_at": "2026-01-01T00:00:00Z",
        "started_at": None,
        "finished_at": None,
        "progress": {"text": "", "value": 0.0},
        "error": None,
    }
    listed = TaskListResponse(tasks=[TaskSummary(**common)], task_types=["x"])
    assert listed.model_dump(mode="json") == {
        "tasks": [shown],
        "next": None,
        "task_types": ["x"],
        "last_event_id": None,
        "incomplete": False,
    }
    assert TaskStatusResponse(**common, result=[1]).model_dump(mode="json") == {
        **shown,
        "result": [1],
        "omitted": None,
    }
