"""The time limit of a task."""

from __future__ import annotations

import gevent

from app.tasks.run.outcome import TaskOutcome
from app.tasks.run.time_limit import end_overdue_task, start_time_limit


def test_an_overdue_task_has_failed() -> None:
    """A task that exceeds its time limit gets an outcome that names the limit."""
    outcomes: list[TaskOutcome] = []
    end_overdue_task(2.5, outcomes.append)
    assert [(outcome.status, outcome.error) for outcome in outcomes] == [
        ("failed", "timed out after 2.5 s")
    ]


def test_a_killed_limit_settles_nothing() -> None:
    """A time limit settles the outcome once, or never if it was killed before."""
    outcomes: list[TaskOutcome] = []
    start_time_limit(0, outcomes.append).join()
    cancelled = start_time_limit(0, outcomes.append)
    cancelled.kill()
    gevent.sleep(0)
    assert len(outcomes) == 1
