"""The conductor of tasks: it gives each task a slot, sends its events in order, and ends it once.

:mod:`app.tasks` explains how the parts work together. Here is the part of the conductor:

Each running task has a greenlet of the conductor, which sends all events of the task, one after the
other. This greenlet is never killed, so no broadcast is cut off and the order is kept. The task
itself runs in a :class:`~app.tasks.run.body.TaskBody` and may be killed at any time.

A task can be ended by itself, by its time limit, by a cancel, and by the shutdown. Each of them
calls :meth:`TaskConductor.settle`, and only the first call has an effect. The greenlet of the task
then sends the one terminal event and frees the slot.

The lock guards decisions. Nothing is sent, killed, logged or waited for while it is held.
"""

from __future__ import annotations

import dataclasses
import logging
import threading
from collections.abc import Callable
from datetime import datetime

import gevent
from gevent.event import Event as Signal

from app.schemas.task_schema import TaskStatus
from app.services.metrics_service import MetricsServiceProtocol
from app.tasks.base import TaskProgressHandle
from app.tasks.run.body import TaskBody
from app.tasks.run.events import TaskEvents
from app.tasks.run.lifecycle import TaskStep
from app.tasks.run.line import LineLimits, TaskLine
from app.tasks.run.native import NativeRunner
from app.tasks.run.outcome import ResultLimits, TaskOutcome, run_task
from app.tasks.run.record import TaskRecord
from app.tasks.run.store import TaskStore
from app.tasks.servers.notes import TaskNotes
from gateway_shim.event_loop.turns import let_others_run_if_due

__all__ = ["TaskConductor"]

logger = logging.getLogger(__name__)


class TaskConductor:
    """The running and the waiting tasks of one task service. Call it in the hub's thread only.

    Args:
        events: sends the events of tasks.
        store: remembers the tasks.
        notes: tells other servers which tasks are unfinished.
        metrics: counts the tasks.
        line_limits: the limits of running and waiting tasks.
        result_limits: the limits of a result.
        timeout_seconds: the time limit of one task, from its beginning.
        clock: returns monotonic seconds.
        now: returns the time of day, UTC.
    """

    def __init__(
        self,
        events: TaskEvents,
        store: TaskStore,
        notes: TaskNotes,
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
        self._notes = notes
        self._metrics = metrics
        self._result_limits = result_limits
        self._timeout_seconds = timeout_seconds
        self._clock = clock
        self._now = now
        self._native = NativeRunner(line_limits.running, clock)
        # Guards the line, and each change of a record's status.
        self._lock = threading.Lock()
        self._line = TaskLine(line_limits, lambda record: record.begin(self._now(), self._clock()))
        # Set while no task runs or waits and every terminal event has been sent.
        self._idle = Signal()
        self._idle.set()

    # ---------------------------------------------------------------- the calls of the service

    def take(self, record: TaskRecord) -> None:
        """Run a task now if a slot is free, or else later.

        Raises:
            InvalidOperationException: the line is closed.
            TaskRefused: the task exceeds a limit of the line.
        """
        with self._lock:
            begun = self._line.join(record)
            self._idle.clear()
        self._store.add(record)
        self._notes.opened(record)
        self._conduct_all(begun)

    def close_line(self) -> list[TaskRecord]:
        """Refuse all further tasks.

        Returns:
            The tasks that wait in the line.
        """
        with self._lock:
            return self._line.close()

    def wait_until_idle(self, seconds: float) -> bool:
        """Wait until no task is pending or running and every terminal event has been sent.

        Args:
            seconds: the longest wait.

        Returns:
            True if this is the case; False if the time is over.
        """
        return bool(self._idle.wait(seconds))

    def settle(self, record: TaskRecord, outcome: TaskOutcome) -> bool:
        """End a task, unless it is over already. The decision is made without a greenlet switch.

        The terminal event of the task is sent later.

        Returns:
            True if this outcome ended the task; False if the task was over.
        """
        with self._lock:
            if record.is_over:
                return False
            never_began = record.status is TaskStatus.PENDING
            if never_began:
                self._line.leave(record)
            # The exception is not kept, because its traceback would keep the task's variables.
            kept = dataclasses.replace(outcome, exception=None)
            record.end(kept, self._now(), self._clock())
            body, record.body = record.body, None
        if body is not None:
            body.stop(discard=not outcome.keeps_progress)
        self._store.finished(record)
        if never_began:  # no greenlet of this task exists that could conclude it
            gevent.spawn(self._conclude, record)
        self._log_end(record, outcome.exception)
        return True

    def tell_lost(self, record: TaskRecord) -> None:
        """Send the terminal event of a task whose process has ended. May switch greenlets."""
        if record.outcome is not None and record.outcome.step is TaskStep.LOSE:
            self._log_end(record, None)
            self._metrics.task_finished(record.task.name, record.status.value, record.seconds)
        self._tell_end(record, taken_over=True)

    def tell_gone(self, task_id: str, had_begun: bool) -> None:
        """Send the terminal event of a task whose server is gone. May switch greenlets.

        Args:
            task_id: the ID of the task.
            had_begun: whether the task was running, and not waiting.
        """
        self._events.ended(task_id, TaskOutcome.lost(had_begun=had_begun))

    def end_quietly(self, task_id: str) -> None:
        """End a task of this process that others have told as failed, unless it is over."""
        record = self._store.find_own(task_id)
        if record is not None and not record.is_over:
            record.was_told = True
            self.settle(record, TaskOutcome.lost(had_begun=record.had_slot))

    # ---------------------------------------------------------------- the greenlet of each task

    def _conduct_all(self, begun: list[TaskRecord]) -> None:
        self._metrics.tasks_active(self._line.running, self._line.waiting)
        for record in begun:
            gevent.spawn(self._conduct, record)

    def _conduct(self, record: TaskRecord) -> None:
        try:
            # A browser that gets the event may ask another process about the task.
            self._store.wait_until_saved(record.task_id)
            self._events.started(record.task_id, record.task.name)
            if (body := self._begin_body(record)) is not None:
                for progress in body.updates():
                    record.progress = progress
                    self._store.progressed(record)
                    self._events.progress(record.task_id, progress)
                    let_others_run_if_due()
        except Exception as exc:  # noqa: BLE001 - the task must be ended
            # This is a mistake of this package and not of the task. The task must still be ended,
            # so that its slot becomes free. settle() logs the exception.
            self.settle(record, TaskOutcome.failed(exc))
        self._conclude(record)

    def _begin_body(self, record: TaskRecord) -> TaskBody | None:
        """Start the task; return None if it was cancelled while ``task_started`` was sent."""

        def work(handle: TaskProgressHandle) -> TaskOutcome:
            return run_task(record.task, handle, record.kwargs, self._result_limits)

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
        """Send the terminal event of a task, then free its slot for the next task in the line."""
        self._tell_end(record)
        self._metrics.task_finished(record.task.name, record.status.value, record.seconds)
        with self._lock:
            begun = self._line.finished(record)
            if self._line.is_empty:
                self._idle.set()
        for next_record in begun:
            self._store.began(next_record)
            self._notes.opened(next_record)
        self._conduct_all(begun)

    def _tell_end(self, record: TaskRecord, *, taken_over: bool = False) -> None:
        if record.outcome is not None:
            # Saved before it is sent. In the other order the event would be sent twice if this
            # process were killed during the broadcast, which takes much longer than the save.
            self._store.telling(record)
            self._notes.ending(record.task_id, taken_over=taken_over)
            if not record.was_told:
                self._events.ended(record.task_id, record.outcome)
            # The data of the event is not needed any more, and it may be large.
            record.outcome = dataclasses.replace(record.outcome, event_data=None)

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
