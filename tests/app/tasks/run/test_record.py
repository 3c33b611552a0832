"""TaskRecord: its transitions, and what it shows of itself."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from app.schemas.task_schema import TaskProgress, TaskStatus, TaskStatusResponse, TaskSummary
from app.tasks.run.outcome import Outcome, cancelled
from app.tasks.run.record import TRANSITIONS, InvalidTaskTransition, TaskRecord
from tests.app.tasks.task_support import Gate

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = datetime(2026, 1, 2, tzinfo=UTC)


def record(status=TaskStatus.PENDING):
    """A task in that status."""
    return TaskRecord("t1", Gate(), {}, NOW, status=status)


ALLOWED = {
    (TaskStatus.PENDING, TaskStatus.RUNNING),
    (TaskStatus.PENDING, TaskStatus.CANCELLED),
    (TaskStatus.RUNNING, TaskStatus.COMPLETED),
    (TaskStatus.RUNNING, TaskStatus.FAILED),
    (TaskStatus.RUNNING, TaskStatus.CANCELLED),
}


@pytest.mark.parametrize("old", list(TaskStatus))
@pytest.mark.parametrize("new", [s for s in TaskStatus if s is not TaskStatus.PENDING])
def test_only_the_drawn_transitions_are_possible(old, new):
    """Every other one raises and changes nothing."""
    task = record(old)

    def move():
        if new is TaskStatus.RUNNING:
            task.begin(NOW, 1.0)
        else:
            task.end(Outcome(new), NOW, 1.0)

    if (old, new) in ALLOWED:
        move()
        assert task.status is new
        return
    with pytest.raises(InvalidTaskTransition, match=f"^a task that is {old} cannot become {new}$"):
        move()
    assert (task.status, task.outcome, task.started_at, task.finished_at) == (old, None, None, None)


def test_a_terminal_status_is_one_that_nothing_follows():
    """Three of the five."""
    assert {s for s in TRANSITIONS if record(s).is_over} == {
        TaskStatus.COMPLETED,
        TaskStatus.FAILED,
        TaskStatus.CANCELLED,
    }


def test_seconds_count_from_the_beginning_to_the_end():
    """A task that never began took none."""
    task = record()
    assert task.seconds == 0.0
    task.begin(NOW, 10.0)
    assert task.seconds == 0.0
    task.end(Outcome(TaskStatus.COMPLETED), LATER, 12.5)
    assert task.seconds == 2.5
    task = record()
    task.end(cancelled(), LATER, 12.5)
    assert task.seconds == 0.0


def test_a_record_shows_itself():
    """With its result only where all of it is asked for."""
    task = record()
    shown = {
        "task_id": "t1",
        "task_type": "gate",
        "status": TaskStatus.PENDING,
        "created_at": NOW,
        "progress": TaskProgress(),
    }
    assert task.summary() == TaskSummary(**shown)
    assert task.full() == TaskStatusResponse(**shown)
    task.begin(NOW, 1.0)
    task.end(Outcome(TaskStatus.COMPLETED, result_json=b'{"a":1}'), LATER, 2.0)
    shown |= {"status": TaskStatus.COMPLETED, "started_at": NOW, "finished_at": LATER}
    assert task.summary() == TaskSummary(**shown)
    assert task.full() == TaskStatusResponse(**shown, result={"a": 1})
