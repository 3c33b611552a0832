"""Runs tasks: each in its slot, its events in order, and one end whoever ends it.

Each running task has a *conductor*, a greenlet that sends all of its events, one after the
other, and is never killed: so no broadcast is torn and the order holds. The task itself runs
beside it (:class:`~app.tasks.run.body.TaskBody`) and may be killed at any time. Whoever ends
a task, be it the task, its time limit, a cancel or the shutdown, must win
:meth:`TaskConductor.settle`. Only one can; the conductor then sends the one terminal event, and
frees the slot.

The lock guards decisions. Nothing is sent, killed, logged or waited for while it is held.
"""

from __future__ import annotations

import dataclasses
import logging
import threading
from collections.abc import Callable
from datetime import datetime

import gevent
from gevent.event import Event

from app.schemas.task_schema import TaskStatus
from app.services.metrics_service import MetricsServiceProtocol
from app.tasks.base import TaskProgressHandle
from app.tasks.run import outcome as task_outcome
from app.tasks.run.body import TaskBody
from app.tasks.run.events import TaskEvents
from app.tasks.run.line import LineLimits, TaskLine
from app.tasks.run.native import NativeRunner
from app.tasks.run.outcome import Outcome, ResultLimits
from app.tasks.run.record import TaskRecord
from app.tasks.run.store import TaskStore
from gateway_shim.event_loop.turns import let_others_run_if_due

__all__ = ["TaskConductor"]

logger = logging.getLogger(__name__)


class TaskConductor:
    """The running and the waiting tasks of one task service. Used in the hub's thread.

    Args:
        events: sends what happens to tasks.
        store: remembers them.
        metrics: counts them.
        line_limits: how many may run and wait.
        result_limits: how large a result may be.
        timeout_seconds: time limit of one task, from its beginning.
        clock: monotonic seconds.
        now: the time of day, UTC.
    """

    def __init__(
        self,
        events: TaskEvents,
        store: TaskStore,
        metrics: MetricsServiceProtocol,
        line_limits: LineLimits,
        result_limits: ResultLimits,
        timeout_seconds: float,
        *,
        clock: Callable[[], float],
        now: Callable[[], datetime],
    ) -> None:
        self._events = events
        self._store = store
        self._metrics = metrics
        self._result_limits = result_limits
        self._timeout_seconds = timeout_seconds
        self._clock = clock
        self._now = now
        self._native = NativeRunner(line_limits.running, clock)
        self._lock = threading.Lock()
        self._line = TaskLine(line_limits, lambda record: record.begin(self._now(), self._clock()))
        self._idle = Event()  # set while the line is empty
        self._idle.set()

    def take(self, record: TaskRecord) -> None:
        """Run a task now, or when its turn comes.

        Raises:
            InvalidOperationException: the line is closed.
            TaskRefused: a limit of the line keeps the task out.
        """
        with self._lock:
            begun = self._line.join(record)
            self._idle.clear()
        self._store.add(record)
        self._conduct_all(begun)

    def close_line(self) -> list[TaskRecord]:
        """Take no more tasks.

        Returns:
            The tasks that wait now.
        """
        with self._lock:
            return self._line.close()

    def wait_until_idle(self, seconds: float) -> bool:
        """Wait until no task is pending or running and every terminal event was sent.

        Args:
            seconds: how long at most.

        Returns:
            Whether that is so.
        """
        return bool(self._idle.wait(seconds))

    def settle(self, record: TaskRecord, outcome: Outcome) -> bool:
        """End a task, unless it has ended: the first of all who try wins. Does not switch first.

        Returns:
            Whether it was this outcome that ended it. Its terminal event follows.
        """
        with self._lock:
            if record.is_over:
                return False
            never_began = record.status is TaskStatus.PENDING
            if never_began:
                self._line.leave(record)
            # Without the exception: its traceback would keep the task's local variables.
            kept = dataclasses.replace(outcome, exception=None)
            record.end(kept, self._now(), self._clock())
            body, record.body = record.body, None
        if body is not None:
            body.stop(discard=not outcome.keeps_progress)
        self._store.finished(record)
        if never_began:
            gevent.spawn(self._conclude, record)
        self._log_end(record, outcome.exception)
        return True

    def _conduct_all(self, begun: list[TaskRecord]) -> None:
        self._metrics.tasks_active(self._line.running)
        for record in begun:
            gevent.spawn(self._conduct, record)

    def _conduct(self, record: TaskRecord) -> None:
        try:
            self._events.started(record.task_id, record.task.name)
            if (body := self._begin_body(record)) is not None:
                for progress in body.updates():
                    record.progress = progress
                    self._events.progress(record.task_id, progress)
                    let_others_run_if_due()
        except Exception as exc:  # noqa: BLE001
            # Ours, not the task's: but the task must end, and its slot be free. _settle logs it.
            self.settle(record, task_outcome.failed(exc))
        self._conclude(record)

    def _begin_body(self, record: TaskRecord) -> TaskBody | None:
        """Set the task going, unless it was cancelled while ``task_started`` was being sent."""

        def work(handle: TaskProgressHandle) -> Outcome:
            return task_outcome.execute(record.task, handle, record.kwargs, self._result_limits)

        with self._lock:
            if record.is_over:
                return None
            record.body = TaskBody(
                work,
                self._native if record.task.cpu_bound else None,
                self._timeout_seconds,
                lambda outcome: self.settle(record, outcome),
            )
            record.body.begin()
            return record.body

    def _conclude(self, record: TaskRecord) -> None:
        """Send a task's terminal event, its last; then the next in line may begin."""
        if record.outcome is not None:
            self._events.ended(record.task_id, record.outcome)
            record.outcome = dataclasses.replace(record.outcome, event_data=None)  # may be large
        self._metrics.task_finished(record.task.name, record.status.value, record.seconds)
        with self._lock:
            begun = self._line.finished(record)
            if self._line.is_empty:
                self._idle.set()
        self._conduct_all(begun)

    def _log_end(self, record: TaskRecord, exc: BaseException | None) -> None:
        logger.log(
            logging.WARNING if record.status is TaskStatus.FAILED else logging.INFO,
            "a task is over",
            exc_info=(type(exc), exc, exc.__traceback__) if exc is not None else None,
            extra={
                "task_id": record.task_id,
                "task_type": record.task.name,
                "status": record.status.value,
                "seconds": round(record.seconds, 3),
            },
        )
