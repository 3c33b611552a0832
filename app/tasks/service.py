"""The task service: it starts tasks, broadcasts their progress, and remembers their results.

Theory of operation
-------------------
The life of a task is one enum and one table of transitions (:mod:`app.tasks.run.lifecycle`).

The order of events:

1. The line (:mod:`app.tasks.run.line`) accepts a task or refuses it. If a slot is free, the task
   is RUNNING at once. The store (:mod:`app.tasks.run.store`) remembers the task.
2. The conductor (:mod:`app.tasks.conductor`) has a greenlet for each task with a slot. It sends
   ``task_started``, and only then starts the body (:mod:`app.tasks.run.body`).
3. The body runs the task. Each update goes through a bounded mailbox to the conductor's greenlet,
   which broadcasts it. The task waits while the mailbox is full.
4. The task returns or raises, its time limit passes, or a caller cancels it. The first of these
   settles the task: its status becomes terminal, and its body is stopped.
5. The greenlet sends the updates that are left (only after RETURN or RAISE), then the terminal
   event. Only then is the slot free, and the next task of the line begins.

If the process ends before the task, another process notices it
(:mod:`app.tasks.memory.takeover`): the task takes the step LOSE, and its one terminal event is sent
by the process that was first.

At PREPARE_SHUTDOWN the line closes, and waiting tasks, which have done no work, are cancelled. At
SHUTDOWN all other tasks are cancelled, and their terminal events are sent before that notification
returns. So construct this service before the component that ends the streams at SHUTDOWN.

What never happens:

* Two terminal events of one task, or any event after the terminal event.
* A broadcast that is cut off: only the body is ever killed, and it sends no events.
* A lock that is held while something is sent, killed, logged or waited for.
* A slot that is never freed: an exception in the conductor itself fails the task, too.

Where the races are:

* A task is ended twice in the same turn of the loop: only the first ``settle()`` has an effect.
* A cancel arrives while ``task_started`` is sent: there is no body yet, and none is started.
* A status is terminal before the terminal event is sent: a client may read it early.
* A native thread outlives its task: its updates are refused, and its result is ignored.
* Another service is notified of the shutdown first: ``start_task`` asks the coordinator itself.

All methods may be called from any thread; they run in the thread of the event loop
(:mod:`gateway_shim.event_loop.loop_thread`).
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from app.errors import InvalidOperationException, NotServing
from app.lifecycle import LifetimeEvent, ShutdownCoordinator
from app.schemas.task_schema import TaskStartResponse, TaskStatusResponse
from app.services.metrics_service import MetricsServiceProtocol
from app.state.server_memory import ServerMemory
from app.tasks.base import BaseTask
from app.tasks.conductor import TaskConductor
from app.tasks.memory.numbers import TaskNumbers
from app.tasks.memory.table import TaskTable
from app.tasks.memory.takeover import TaskTakeover
from app.tasks.page import MAX_PAGE, TaskPage
from app.tasks.params.remembered import RememberedParams
from app.tasks.run.events import EventSender, TaskEvents
from app.tasks.run.line import LineLimits, TaskRefused
from app.tasks.run.outcome import ResultLimits, TaskOutcome
from app.tasks.run.record import TaskOrigin, TaskRecord
from app.tasks.run.store import StoreLimits, TaskStore
from gateway_shim.event_loop.loop_thread import LoopThread, from_any_thread
from gateway_shim.event_loop.turns import let_others_run_if_due
from gateway_shim.streams.refusal_counts import RefusalCounts

__all__ = ["MAX_PAGE", "TaskPage", "TaskService"]

logger = logging.getLogger(__name__)

LAST_EVENTS_SECONDS = 2.0
"""The longest wait at SHUTDOWN for the terminal events of cancelled tasks."""


class TaskService:
    """The public interface of all tasks; see the head of this module.

    Args:
        connection_manager: sends the events.
        metrics: counts the tasks.
        shutdown_coordinator: notifies this service of the shutdown, and waits for running tasks.
        line_limits: the limits of running and waiting tasks.
        timeout_seconds: the time limit of one task, from its beginning.
        store_limits: the limits of remembered finished tasks.
        refusals: counts the refused tasks; a new counter if None.
        result_limits: the limits of a result.
        memory: where tasks are saved, so that they outlive this process; None: nowhere.
        clock: returns monotonic seconds.
        now: returns the time of day, UTC.
        new_id: makes the ID of a task.
        loop_thread: runs the calls of other threads.
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
        memory: ServerMemory | None = None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        new_id: Callable[[], str] = lambda: str(uuid.uuid4()),
        loop_thread: LoopThread | None = None,
    ) -> None:
        self.loop_thread = loop_thread or LoopThread()  # read by from_any_thread
        self._coordinator = shutdown_coordinator
        self._refusals = refusals or RefusalCounts()
        self._now = now
        self._new_id = new_id
        self._numbers = TaskNumbers()
        result_limits = result_limits or ResultLimits()
        memory = memory or ServerMemory()
        table = TaskTable(memory, result_limits, clock=clock, now=now)
        self._store = TaskStore(store_limits or StoreLimits(), clock, table)
        self._conductor = TaskConductor(
            TaskEvents(connection_manager, now),
            self._store,
            metrics,
            line_limits or LineLimits(),
            result_limits,
            timeout_seconds,
            clock=clock,
            now=now,
        )
        self._takeover = TaskTakeover(
            memory, table, self._store, self._numbers, self._conductor.tell_lost
        )
        shutdown_coordinator.register_lifetime_notification(self._on_lifetime_event)
        shutdown_coordinator.register_shutdown_waiter("tasks", self.wait_for_tasks)

    # ---------------------------------------------------------------- the calls of the application

    def start_task(self, task: BaseTask, /, **kwargs: Any) -> TaskStartResponse:
        """Run a task outside the limits per client: now if a slot is free, or else later.

        Args:
            task: the task to run.
            kwargs: the task's parameters, validated by :meth:`BaseTask.validate_params`.

        Returns:
            The task's ID, which its events carry, and its status: ``running`` or ``pending``.

        Raises:
            InvalidOperationException: the server is shutting down.
            TooBusy: too many tasks are waiting.
            NotServing: no event loop runs in this process, so the task would never begin.
        """
        return self.start_task_for(TaskOrigin(), task, **kwargs)

    @from_any_thread
    def start_task_for(
        self, origin: TaskOrigin, task: BaseTask, /, **kwargs: Any
    ) -> TaskStartResponse:
        """Run a task that counts towards a client's limit; otherwise like :meth:`start_task`.

        Args:
            origin: the client and the parameters as it sent them.
            task: the task to run.
            kwargs: the task's parameters, validated.

        Raises:
            TooBusy: too many tasks are waiting, or too many tasks of the client are unfinished.
        """
        if not self.loop_thread.serves_here:
            raise NotServing("This server cannot run tasks")
        now = self._now()
        number = self._numbers.next(now)
        record = TaskRecord(self._new_id(), task, kwargs, now, number, origin)
        if self._coordinator.is_shutting_down():
            # This service may not have been notified yet, because others may be notified first.
            self._conductor.close_line()
        try:
            self._conductor.take(record)
        except TaskRefused as exc:
            self._refusals.add(exc.reason)
            raise
        return TaskStartResponse(task_id=record.task_id, status=record.status)

    @from_any_thread
    def cancel_task(self, task_id: str) -> TaskStartResponse:
        """Cancel a task that is running or waiting. Its event ``task_cancelled`` follows.

        A greenlet is killed where it waits. A native thread stops at its next call of the progress
        handle, but the task is over at once, and its slot does not wait for the thread.

        Returns:
            The task's ID and its status, ``cancelled``.

        Raises:
            NotFound: there is no such task.
            InvalidOperationException: the task is over already, or another process runs it.
        """
        record = self._store.find_here(task_id)
        if not self._conductor.settle(record, TaskOutcome.cancelled()):
            raise InvalidOperationException(
                f"Task {task_id} is {record.status} already; only a pending or running task"
                " can be cancelled"
            )
        return TaskStartResponse(task_id=task_id, status=record.status)

    @from_any_thread
    def get_task_status(self, task_id: str) -> TaskStatusResponse:
        """Return everything that is known about a task, including its result.

        Raises:
            NotFound: there is no such task, or it was forgotten.
        """
        return self._store.find(task_id).full()

    @from_any_thread
    def get_task_status_json(self, task_id: str) -> bytes:
        """Return the status of a task as JSON, without encoding its result again.

        Raises:
            NotFound: there is no such task, or it was forgotten.
        """
        return self._store.find(task_id).full_json()

    @from_any_thread
    def result_bytes(self, task_id: str) -> int:
        """Return the size of a task's result as JSON, bytes; 0 if there is no result.

        Raises:
            NotFound: there is no such task, or it was forgotten.
        """
        return self._store.find(task_id).result_bytes

    @from_any_thread
    def get_start(self, task_id: str) -> tuple[str, RememberedParams | None]:
        """Return the type of a task and its parameters; None if they are not remembered.

        Raises:
            NotFound: there is no such task, or it was forgotten.
        """
        record = self._store.find(task_id)
        return record.task.name, record.origin.params

    @from_any_thread
    def list_tasks(self, limit: int = MAX_PAGE, before: str | None = None) -> TaskPage:
        """Return one page of all known tasks, newest first, without their results.

        Args:
            limit: the largest number of tasks in the page, 1 to :data:`MAX_PAGE`.
            before: the ``next`` of the page before; None for the newest tasks.

        Raises:
            BadRequest: ``limit`` or ``before`` is invalid.
        """
        return TaskPage.read(self._store, limit, before)

    @from_any_thread
    def remove_completed_task(self, task_id: str) -> None:
        """Forget a task that is over, with any terminal status.

        Raises:
            NotFound: there is no such task.
            InvalidOperationException: the task is pending or running; cancel it first.
        """
        self._store.remove(task_id)

    @from_any_thread
    def wait_for_tasks(self, seconds: float) -> bool:
        """Wait until no task is pending or running and every terminal event has been sent.

        Returns True if this is the case; False if it was not within so many seconds.
        """
        return self._conductor.wait_until_idle(seconds)

    # ---------------------------------------------------------------- the shutdown

    def _on_lifetime_event(self, event: LifetimeEvent) -> None:
        if event is LifetimeEvent.PREPARE_SHUTDOWN:
            self._cancel_all(self._conductor.close_line())
        elif event is LifetimeEvent.SHUTDOWN:
            self._cancel_all(self._store.all())
            if not self.wait_for_tasks(LAST_EVENTS_SECONDS):
                logger.warning("the last events of some tasks were not sent in time")
            self._takeover.stop()
            self._store.close()

    def _cancel_all(self, records: list[TaskRecord]) -> None:
        for record in records:
            self._conductor.settle(record, TaskOutcome.cancelled())
            let_others_run_if_due()
