"""TaskRecord: the changes of its status, and the answers that show it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from app.schemas.task_schema import TaskProgress, TaskStatus, TaskStatusResponse, TaskSummary
from app.tasks.params.remembered import RememberedParams
from app.tasks.run.lifecycle import TRANSITIONS, InvalidTaskTransition, TaskStep
from app.tasks.run.outcome import TaskOutcome
from app.tasks.run.record import TaskOrigin, TaskRecord
from tests.app.tasks.task_support import Gate

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = datetime(2026, 1, 2, tzinfo=UTC)


def make_record(status: TaskStatus = TaskStatus.PENDING) -> TaskRecord:
    """Make a task with a status."""
    return TaskRecord("t1", Gate(), {}, NOW, status=status)


def take_step(record: TaskRecord, step: TaskStep) -> None:
    """Make a record take a step."""
    if step is TaskStep.BEGIN:
        record.begin(NOW, 1.0)
    else:
        record.end(TaskOutcome(step), NOW, 1.0)


@pytest.mark.parametrize("status", TaskStatus)
@pytest.mark.parametrize("step", TaskStep)
def test_a_record_keeps_to_the_table(status: TaskStatus, step: TaskStep) -> None:
    """A step that is not in the table raises an error and changes nothing."""
    record = make_record(status)
    if step in TRANSITIONS[status]:
        take_step(record, step)
        assert record.status is TRANSITIONS[status][step]
        return
    with pytest.raises(InvalidTaskTransition):
        take_step(record, step)
    assert (record.status, record.outcome) == (status, None)
    assert (record.started_at, record.finished_at) == (None, None)


@pytest.mark.parametrize("status", TaskStatus)
def test_a_record_is_over_if_its_status_is_terminal(status: TaskStatus) -> None:
    """A status without a next step is terminal."""
    assert make_record(status).is_over is (not TRANSITIONS[status])


def test_seconds_count_from_the_beginning_to_the_end() -> None:
    """The duration is 0 until the end, and for a task that never began."""
    record = make_record()
    assert (record.seconds, record.had_slot) == (0.0, False)
    record.begin(NOW, 10.0)
    assert (record.seconds, record.had_slot) == (0.0, True)
    record.end(TaskOutcome(TaskStep.RETURN), LATER, 12.5)
    assert record.seconds == 2.5
    record = make_record()
    record.end(TaskOutcome.cancelled(), LATER, 12.5)
    assert (record.seconds, record.had_slot) == (0.0, False)


def test_answers() -> None:
    """A summary has everything except the result."""
    record = make_record()
    fields: dict[str, Any] = {
        "task_id": "t1",
        "task_type": "gate",
        "status": TaskStatus.PENDING,
        "created_at": NOW,
        "progress": TaskProgress(),
    }
    assert record.summary() == TaskSummary(**fields)
    assert record.full() == TaskStatusResponse(**fields)
    record.begin(NOW, 1.0)
    record.end(TaskOutcome(TaskStep.RETURN, result_json=b'{"a":1}'), LATER, 2.0)
    fields |= {"status": TaskStatus.COMPLETED, "started_at": NOW, "finished_at": LATER}
    assert record.summary() == TaskSummary(**fields)
    assert record.full() == TaskStatusResponse(**fields, result={"a": 1})


def test_kept_bytes() -> None:
    """The remembered params count as long as the task is remembered."""
    record = make_record()
    assert record.kept_bytes == 0
    record.origin = TaskOrigin(params=RememberedParams('{"a": 1}'))
    record.begin(NOW, 1.0)
    record.end(TaskOutcome(TaskStep.RETURN, result_json=b"{}"), LATER, 2.0)
    assert record.kept_bytes == len('{"a": 1}') + len("{}")
