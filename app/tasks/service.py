"""Tasks: so many at a time, the rest in line; every step of each broadcast to all streams.

This is what the rest of the application calls. :mod:`app.tasks.conductor` runs the tasks,
:mod:`app.tasks.run.store` remembers them. What another thread calls runs in the loop's thread
(:mod:`gateway_shim.event_loop.loop_thread`).
"""

from __future__ import annotations

import logging
import re
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple

from app.errors import BadRequest, InvalidOperationException, NotServing
from app.lifecycle import LifetimeEvent, ShutdownCoordinator
from app.schemas.task_schema import TaskStartResponse, TaskStatusResponse, TaskSummary
from app.services.metrics_service import MetricsServiceProtocol
from app.tasks.base import BaseTask
from app.tasks.conductor import TaskConductor
from app.tasks.run import outcome as task_outcome
from app.tasks.run.events import EventSender, TaskEvents
from app.tasks.run.line import LineLimits, TaskRefused
from app.tasks.run.outcome import ResultLimits
from app.tasks.run.record import TaskOrigin, TaskRecord
from app.tasks.run.store import StoreLimits, TaskStore
from gateway_shim.event_loop.loop_thread import LoopThread, from_any_thread
from gateway_shim.event_loop.turns import let_others_run_if_due
from gateway_shim.streams.refusal_counts import RefusalCounts

__all__ = ["MAX_PAGE", "TaskPage", "TaskService"]

logger = logging.getLogger(__name__)

MAX_PAGE = 100
"""Tasks in one answer of a list."""

LAST_EVENTS_SECONDS = 2.0
"""How long the terminal events of tasks cancelled at SHUTDOWN may hold up what follows."""


class TaskPage(NamedTuple):
    """One page of a list.

    Args:
        tasks: newest first.
        next: what ``before`` must be for the page that follows; None at the end.
    """

    tasks: list[TaskSummary]
    next: str | None


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
        line_limits: how many tasks may run and wait.
        timeout_seconds: time limit of one task, from its beginning.
        store_limits: what is remembered of finished tasks.
        refusals: counts the tasks that a limit keeps out; None: a counter of its own.
        result_limits: how large a result may be.
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
        line_limits: LineLimits | None = None,
        timeout_seconds: float = 300.0,
        store_limits: StoreLimits | None = None,
        *,
        refusals: RefusalCounts | None = None,
        result_limits: ResultLimits | None = None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        new_id: Callable[[], str] = lambda: str(uuid.uuid4()),
        loop_thread: LoopThread | None = None,
    ) -> None:
        self.loop_thread = loop_thread or LoopThread()
        self._coordinator = shutdown_coordinator
        self._refusals = refusals or RefusalCounts()
        self._now = now
        self._new_id = new_id
        self._last_number = 0
        self._store = TaskStore(store_limits or StoreLimits(), clock)
        self._conductor = TaskConductor(
            TaskEvents(connection_manager, now),
            self._store,
            metrics,
            line_limits or LineLimits(),
            result_limits or ResultLimits(),
            timeout_seconds,
            clock=clock,
            now=now,
        )
        shutdown_coordinator.register_lifetime_notification(self._on_lifetime_event)
        shutdown_coordinator.register_shutdown_waiter("tasks", self.wait_for_tasks)

    def start_task(self, task: BaseTask, /, **kwargs: Any) -> TaskStartResponse:
        """Run a task now, or when its turn comes. It counts for no client.

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
        return self.start_task_for(TaskOrigin(), task, **kwargs)

    @from_any_thread
    def start_task_for(
        self, origin: TaskOrigin, task: BaseTask, /, **kwargs: Any
    ) -> TaskStartResponse:
        """Run a task for a client now, or when its turn comes.

        Args:
            origin: who has asked for it.
            task: as for :meth:`start_task`, which also says what this returns and raises.
            kwargs: likewise.

        Raises:
            TooBusy: also where too many of the client's tasks are unfinished.
        """
        if not self.loop_thread.serves_here:
            raise NotServing("This server cannot run tasks")
        now = self._now()
        # Microseconds, so that a number means the same after a restart; each is larger than the
        # last, also where the clock was set back.
        self._last_number = max(int(now.timestamp() * 1e6), self._last_number + 1)
        record = TaskRecord(self._new_id(), task, kwargs, now, self._last_number, origin)
        if self._coordinator.is_shutting_down():
            # Before our own notification comes: others may come first.
            self._conductor.close_line()
        try:
            self._conductor.take(record)
        except TaskRefused as exc:
            self._refusals.add(exc.reason)
            raise
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
        if not self._conductor.settle(record, task_outcome.cancelled()):
            raise InvalidOperationException(
                f"Task {task_id} is {record.status} already; only a pending or running task"
                " can be cancelled"
            )
        return TaskStartResponse(task_id=task_id, status=record.status)

    @from_any_thread
    def get_task_status(self, task_id: str) -> TaskStatusResponse:
        """All that is known of a task, its result included.

        Raises:
            NotFound: there is no such task, or it was forgotten.
        """
        return self._store.find(task_id).full()

    @from_any_thread
    def get_task_status_json(self, task_id: str) -> bytes:
        """The same as JSON; a large result costs nothing but its copy.

        Raises:
            NotFound: there is no such task, or it was forgotten.
        """
        return self._store.find(task_id).full_json()

    @from_any_thread
    def result_bytes(self, task_id: str) -> int:
        """Return the size of a task's result as JSON, bytes; 0 if it has none.

        Raises:
            NotFound: there is no such task, or it was forgotten.
        """
        return self._store.find(task_id).result_bytes

    @from_any_thread
    def list_tasks(self, limit: int = MAX_PAGE, before: str | None = None) -> TaskPage:
        """One page of the tasks that are known, newest first, without their results.

        Args:
            limit: how many tasks, 1 to :data:`MAX_PAGE`.
            before: the ``next`` of the page before; None: the newest tasks.

        Raises:
            BadRequest: one of them is something else.
        """
        if not 1 <= limit <= MAX_PAGE:
            raise BadRequest(f"limit is {limit}; allowed is 1 to {MAX_PAGE}")
        if before is not None and re.fullmatch(r"[0-9]{1,19}", before, re.ASCII) is None:
            raise BadRequest("before is not the next of an earlier answer; leave it out to begin")
        records = self._store.newest(limit + 1, None if before is None else int(before))
        page = records[:limit]
        more = len(records) > limit
        return TaskPage(
            [record.summary() for record in page], str(page[-1].number) if more else None
        )

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
        return self._conductor.wait_until_idle(seconds)

    def _on_lifetime_event(self, event: LifetimeEvent) -> None:
        if event is LifetimeEvent.PREPARE_SHUTDOWN:
            self._cancel_all(self._conductor.close_line())
        elif event is LifetimeEvent.SHUTDOWN:
            self._cancel_all(self._store.all())
            if not self.wait_for_tasks(LAST_EVENTS_SECONDS):
                logger.warning("the last events of some tasks were not sent in time")
            self._store.close()

    def _cancel_all(self, records: list[TaskRecord]) -> None:
        for record in records:
            self._conductor.settle(record, task_outcome.cancelled())
            let_others_run_if_due()
