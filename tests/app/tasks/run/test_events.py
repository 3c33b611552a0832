"""TaskEvents: the payloads of all events, and failed sends."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Never

import pytest

from app.schemas.task_schema import TaskProgress
from app.tasks.run.events import TaskEvents
from app.tasks.run.lifecycle import TaskStep
from app.tasks.run.outcome import TaskOutcome
from tests.app.tasks.task_support import ENVELOPE, RecordingSender

NOW = datetime(2026, 1, 2, 3, 4, 5, 678900, tzinfo=UTC)


@pytest.mark.parametrize(
    ("send", "event_type", "rest"),
    [
        (
            lambda events: events.started("t1", "demo_task"),
            "task_started",
            {"data": {"task_type": "demo_task"}},
        ),
        (
            lambda events: events.progress("t1", TaskProgress(text="half", value=0.5)),
            "progress_update",
            {"data": {"text": "half", "value": 0.5}},
        ),
        (
            lambda events: events.ended("t1", TaskOutcome(TaskStep.RETURN, event_data={"a": None})),
            "task_completed",
            {"data": {"a": None}},
        ),
        (
            lambda events: events.ended(
                "t1", TaskOutcome(TaskStep.RETURN, event_data=[], omitted=["files"])
            ),
            "task_completed",
            {"data": [], "omitted": ["files"]},
        ),
        (
            lambda events: events.ended("t1", TaskOutcome.timed_out(2)),
            "task_failed",
            {"data": {"error": "timed out after 2 s"}},
        ),
        (
            lambda events: events.ended("t1", TaskOutcome.cancelled()),
            "task_cancelled",
            {"data": {}},
        ),
    ],
)
def test_each_event_is_broadcast_in_its_exact_shape(
    send: Callable[[TaskEvents], None], event_type: str, rest: dict[str, Any]
) -> None:
    """Each event is broadcast to all streams as ``task_event``, with the time in UTC."""
    sender = RecordingSender()
    send(TaskEvents(sender, lambda: NOW))
    assert sender.sent == [
        {
            "event_type": event_type,
            "task_id": "t1",
            "timestamp": "2026-01-02T03:04:05.678900Z",
            **rest,
        }
    ]
    assert sender.envelopes == {ENVELOPE}


def test_a_send_that_raises_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """A failed send is logged with the task and the event, and raises nothing."""
    sender = RecordingSender()

    def refuse(event: dict[str, Any]) -> Never:
        raise OSError("no gateway")

    sender.during = refuse
    TaskEvents(sender, lambda: NOW).started("t1", "demo_task")
    (record,) = caplog.records
    assert record.exc_info is not None
    assert (
        record.getMessage(),
        vars(record)["task_id"],
        vars(record)["event_type"],
        str(record.exc_info[1]),
    ) == (
        "a task event could not be sent",
        "t1",
        "task_started",
        "no gateway",
    )
