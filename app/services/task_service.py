"""Tasks: so many at a time, the rest in line; every step of each broadcast to all streams.

Each running task has a *conductor*, a greenlet that sends all of its events, one after the
other, and is never killed: so no broadcast is torn and the order holds. The task itself runs
beside it (:class:`~app.services.task_body.TaskBody`) and may be killed at any time. Whoever ends
a task, be it the task, its time limit, a cancel or the shutdown, must win :meth:`_settle`. Only
one can; the conductor then sends the one terminal event, and frees the slot.

The lock guards decisions. Nothing is sent, killed, logged or waited for while it is held. What
another thread calls runs in the loop's thread (:mod:`gateway_shim.loop_thread`).
"""

from __future__ import annotations

import dataclasses
import logging
import threading
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import gevent
from gevent.event import Event

from app.errors import InvalidOperationException, NotServing
from app.schemas.task_schema import TaskStartResponse, TaskStatus, TaskStatusResponse, TaskSummary
from app.services import task_outcome
from app.services.base_task import BaseTask, TaskProgressHandle
from app.services.metrics_service import MetricsServiceProtocol
from app.services.native_runner import NativeRunner
from app.services.task_body import TaskBody
from app.services.task_events import EventSender, TaskEvents
from app.services.task_line import TaskLine
from app.services.task_outcome import Outcome
from app.services.task_record import TaskRecord
from app.services.task_store import TaskStore
from app.utils.shutdown_coordinator import LifetimeEvent, ShutdownCoordinator
from gateway_shim.loop_thread import LoopThread, from_any_thread
from gateway_shim.turns import let_others_run_if_due

__all__ = ["MAX_EVENT_BYTES", "MAX_WAITING", "TaskService"]

logger = logging.getLogger(__name__)

MAX_WAITING = 1000
"""Tasks that may wait in line; a further one is refused."""

MAX_EVENT_BYTES = 256 * 1024
"""A result whose JSON is larger goes into its event without its largest fields."""

LAST_EVENTS_SECONDS = 2.0
"""How long the terminal events of tasks cancelled at SHUTDOWN may hold up what follows."""


class TaskService:
    """Starts tasks, tells everybody how they go, and remembers how they ended. Any thread may call.

    When a shutdown begins, new tasks are refused and those in line are cancelled: they have lost
    nothing yet, while beginning them would only see them cut off halfway. Running tasks may go
    on for as long as the coordinator waits; what still runs at SHUTDOWN is cancelled, and the
    terminal events are sent before that notification returns. So let this service be constructed
    (it registers itself) before whatever ends the streams at SHUTDOWN.

    Args:
        connection_manager: sends the events.
        metrics: counts tasks.
        shutdown_coordinator: says when the process ends.
        max_workers: tasks that run at the same time.
        timeout_seconds: time limit of one task, from its beginning.
        cleanup_interval_seconds: finished tasks are forgotten after this long.
        max_waiting: tasks that may wait in line.
        max_event_bytes: how large a result's JSON may be to go into its event whole.
        clock: monotonic seconds.
        now: the time of day, UTC.
        new_id: makes task ids.
        loop_thread: carries out the calls of other threads.
    """

    def __init__(
        self,
        connection_manager: EventSender,
        metrics: MetricsServiceProtocol,
        shutdown_coordinator: ShutdownCoordinator,
        max_workers: int = 4,
        timeout_seconds: float = 300.0,
        cleanup_interval_seconds: float = 600.0,
        *,
        max_waiting: int = MAX_WAITING,
        max_event_bytes: int = MAX_EVENT_BYTES,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        new_id: Callable[[], str] = lambda: str(uuid.uuid4()),
        loop_thread: LoopThread | None = None,
    ) -> None:
        self.loop_thread = loop_thread or LoopThread()
        self._metrics = metrics
        self._coordinator = shutdown_coordinator
        self._timeout_seconds = timeout_seconds
        self._max_event_bytes = max_event_bytes
        self._clock = clock
        self._now = now
        self._new_id = new_id
        self._events = TaskEvents(connection_manager, now)
        self._store = TaskStore(cleanup_interval_seconds, clock)
        self._native = NativeRunner(max_workers, clock)

        self._lock = threading.Lock()
        self._line = TaskLine(
            max_workers, max_waiting, lambda record: record.begin(self._now(), self._clock())
        )
        self._idle = Event()  # set while the line is empty
        self._idle.set()

        shutdown_coordinator.register_lifetime_notification(self._on_lifetime_event)
        shutdown_coordinator.register_shutdown_waiter("tasks", self.wait_for_tasks)

    @from_any_thread
    def start_task(self, task: BaseTask, /, **kwargs: Any) -> TaskStartResponse:
        """Run a task now, or when its turn comes.

        Args:
            task: what to run.
            kwargs: its parameters, validated (:meth:`BaseTask.validate_params`).

        Returns:
            Its id, under which its events arrive, and its status: ``running`` or ``pending``.

        Raises:
            InvalidOperationException: the server shuts down.
            TooBusy: too many tasks wait already.
            NotServing: no event loop runs in this process, so the task would never begin.
        """
        if not self.loop_thread.serves_here:
            raise NotServing("This server cannot run tasks")
        record = TaskRecord(self._new_id(), task, kwargs, self._now())
        with self._lock:
            if self._coordinator.is_shutting_down():
                self._line.close()  # before our own notification comes: others may come first
            begun = self._line.join(record)
            self._idle.clear()
        self._store.add(record)
        self._conduct_all(begun)
        return TaskStartResponse(task_id=record.task_id, status=record.status)

    @from_any_thread
    def cancel_task(self, task_id: str) -> TaskStartResponse:
        """Stop a task, running or in line. Its ``task_cancelled`` follows.

        A greenlet is killed where it waits. A native thread stops at its next call of the
        progress handle, but the task is over, and its slot free, at once.

        Returns:
            Its id and its status, ``cancelled``.

        Raises:
            NotFound: there is no such task.
            InvalidOperationException: it is over already.
        """
        record = self._store.find(task_id)
        if not self._settle(record, task_outcome.cancelled()):
            raise InvalidOperationException(
                f"Task {task_id} is {record.status} already; only a pending or running task"
                " can be cancelled"
            )
        return TaskStartResponse(task_id=task_id, status=record.status)

    @from_any_thread
    def get_task_status(self, task_id: str) -> TaskStatusResponse:
        """All that is known of a task, its whole result included.

        Raises:
            NotFound: there is no such task, or it was forgotten.
        """
        return self._store.find(task_id).full()

    @from_any_thread
    def list_tasks(self) -> list[TaskSummary]:
        """The tasks that are known, oldest first, without their results."""
        return [record.summary() for record in self._store.all()]

    @from_any_thread
    def remove_completed_task(self, task_id: str) -> None:
        """Forget a task that is over, however it ended.

        Raises:
            NotFound: there is no such task.
            InvalidOperationException: it is pending or running; cancel it first.
        """
        self._store.remove(task_id)

    @from_any_thread
    def wait_for_tasks(self, seconds: float) -> bool:
        """Wait until no task is pending or running and every terminal event was sent.

        Args:
            seconds: how long at most.

        Returns:
            Whether that is so.
        """
        return bool(self._idle.wait(seconds))

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
            self._settle(record, task_outcome.failed(exc))
        self._conclude(record)

    def _begin_body(self, record: TaskRecord) -> TaskBody | None:
        """Set the task going, unless it was cancelled while ``task_started`` was being sent."""

        def work(handle: TaskProgressHandle) -> Outcome:
            return task_outcome.execute(record.task, handle, record.kwargs, self._max_event_bytes)

        with self._lock:
            if record.is_over:
                return None
            record.body = TaskBody(
                work,
                self._native if record.task.cpu_bound else None,
                self._timeout_seconds,
                lambda outcome: self._settle(record, outcome),
            )
            record.body.begin()
            return record.body

    def _settle(self, record: TaskRecord, outcome: Outcome) -> bool:
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

    def _conclude(self, record: TaskRecord) -> None:
        """Send a task's terminal event, its last; then the next in line may begin."""
        if record.outcome is not None:
            self._events.ended(record.task_id, record.outcome)
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

    def _on_lifetime_event(self, event: LifetimeEvent) -> None:
        if event is LifetimeEvent.PREPARE_SHUTDOWN:
            with self._lock:
                waiting = self._line.close()
            self._cancel_all(waiting)
        elif event is LifetimeEvent.SHUTDOWN:
            self._cancel_all(self._store.all())
            if not self.wait_for_tasks(LAST_EVENTS_SECONDS):
                logger.warning("the last events of some tasks were not sent in time")
            self._store.close()

    def _cancel_all(self, records: list[TaskRecord]) -> None:
        for record in records:
            self._settle(record, task_outcome.cancelled())
            let_others_run_if_due()
