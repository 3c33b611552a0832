"""The time limit of a task: what happens to a task that exceeds it."""

from __future__ import annotations

from collections.abc import Callable

import gevent

from app.tasks.run.outcome import TaskOutcome

__all__ = ["end_overdue_task", "start_time_limit"]


def start_time_limit(
    seconds: float, settle: Callable[[TaskOutcome], object]
) -> gevent.Greenlet[..., None]:
    """Start the time limit of one run of a task. Kill the returned greenlet to cancel the limit.

    Args:
        seconds: the time limit.
        settle: called with the outcome when the time is over. It stops the task's body, and only
            the first outcome of a run counts.
    """
    return gevent.spawn_later(seconds, end_overdue_task, seconds, settle)


def end_overdue_task(seconds: float, settle: Callable[[TaskOutcome], object]) -> None:
    """End a task that has exceeded its time limit: its outcome is a failure, ``timed out``."""
    settle(TaskOutcome.timed_out(seconds))
