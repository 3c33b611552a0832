"""The task service: it starts tasks, broadcasts their progress, and remembers their results.

The theory of operation is in :mod:`app.tasks`.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from app.errors import NotServing
from app.lifecycle import LifetimeEvent, ShutdownCoordinator
from app.schemas.task_schema import TaskStartResponse, TaskStatusResponse
from app.services.metrics_service import MetricsServiceProtocol
from app.state.server_memory import ServerMemory
from app.tasks.base import BaseTask
from app.tasks.conductor import TaskConductor
from app.tasks.memory.elsewhere import TasksElsewhere
from app.tasks.memory.numbers import TaskNumbers
from app.tasks.memory.rows import RowReader
from app.tasks.memory.table import TaskTable
from app.tasks.memory.takeover import TaskTakeover
from app.tasks.page import MAX_PAGE, TaskPage
from app.tasks.params.remembered import RememberedParams
from app.tasks.run.events import EventSender, TaskEvents
from app.tasks.run.line import LineLimits, TaskRefused
from app.tasks.run.outcome import ResultLimits, TaskOutcome
from app.tasks.run.record import TaskOrigin, TaskRecord
from app.tasks.run.store import StoreLimits, TaskStore
from app.tasks.servers.other_servers import OtherServers
from gateway_shim.event_loop.loop_thread import LoopThread, from_any_thread
from gateway_shim.event_loop.turns import let_others_run_if_due
from gateway_shim.streams.peers.peers import Peers
from gateway_shim.streams.refusal_counts import RefusalCounts

__all__ = ["MAX_PAGE", "TaskPage", "TaskService"]

logger = logging.getLogger(__name__)

LAST_EVENTS_SECONDS = 2.0
"""The longest wait at SHUTDOWN for the terminal events of cancelled tasks."""


class TaskService:
    """The public interface of all tasks (:mod:`app.tasks`).

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
        peers: the other processes, of this server and of others; None: there are none.
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
        peers: Peers | None = None,
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
        self._result_limits = result_limits = result_limits or ResultLimits()
        memory, peers = memory or ServerMemory(), peers or Peers()
        table = TaskTable(memory, result_limits, clock=clock, now=now)
        self._store = TaskStore(
            store_limits or StoreLimits(), clock, table, lambda: peers.are_there
        )
        reader = RowReader(result_limits, clock, now)
        self._servers = servers = OtherServers(peers, self._store, reader, clock)
        self._conductor = TaskConductor(
            TaskEvents(connection_manager, now),
            self._store,
            servers.notes,
            metrics,
            line_limits or LineLimits(),
            result_limits,
            timeout_seconds,
            clock=clock,
            now=now,
        )
        conductor = self._conductor
        servers.lost.act_with(conductor.tell_gone, conductor.end_quietly)
        tell = (conductor.tell_lost, servers.lost.told_by_others)
        self._takeover = TaskTakeover(memory, table, self._store, self._numbers, *tell)
        self._elsewhere = TasksElsewhere(peers, self._store, self._conductor.settle)
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
        response = TaskStartResponse(task_id=record.task_id, status=record.status)
        self._store.wait_until_saved(record.task_id)
        return response

    @from_any_thread
    def cancel_task(self, task_id: str) -> TaskStartResponse:
        """Cancel a task that is running or waiting. Its event ``task_cancelled`` follows.

        A greenlet is killed where it waits. A native thread stops at its next call of the progress
        handle, but the task is over at once, and its slot does not wait for the thread.

        Returns:
            The task's ID and its status, ``cancelled``.

        Raises:
            NotFound: there is no such task.
            InvalidOperationException: the task is over already, or another process runs it that
                cannot be asked.
            Unavailable: another process runs the task, and does not answer.
        """
        record = self._servers.lookup.find(task_id)
        if not record.is_over and self._elsewhere.may_have(record):
            status = self._elsewhere.cancel(record)
            if status is not None:
                return TaskStartResponse(task_id=task_id, status=status)
            self._takeover.look()  # the process of the task has ended
        if not record.is_over:
            record = self._store.find_here(task_id)
        status = self._elsewhere.cancel_here(record)
        return TaskStartResponse(task_id=task_id, status=status)

    @from_any_thread
    def get_task_status(self, task_id: str) -> TaskStatusResponse:
        """Return everything that is known about a task, including its result.

        Raises:
            NotFound: there is no such task, or it was forgotten.
            Unavailable: another process has the result, and does not answer.
        """
        record = self._servers.lookup.find(task_id)
        body = self._elsewhere.status_json(record)
        return record.full() if body is None else TaskStatusResponse.model_validate_json(body)

    @from_any_thread
    def get_task_status_json(self, task_id: str) -> bytes:
        """Return the status of a task as JSON, without encoding its result again.

        Raises:
            NotFound: there is no such task, or it was forgotten.
            Unavailable: another process has the result, and does not answer.
        """
        record = self._servers.lookup.find(task_id)
        return self._elsewhere.status_json(record) or record.full_json()

    @from_any_thread
    def result_bytes(self, task_id: str) -> int:
        """Return the size of a task's result as JSON, bytes; 0 if there is no result.

        If only another process has the result, this is the size of the largest one that is kept.

        Raises:
            NotFound: there is no such task, or it was forgotten.
        """
        record = self._servers.lookup.find(task_id)
        if record.lacks_result and self._elsewhere.may_have(record):
            return self._result_limits.kept_bytes
        return record.result_bytes

    @from_any_thread
    def get_start(self, task_id: str) -> tuple[str, RememberedParams | None]:
        """Return the type of a task and its parameters; None if they are not remembered.

        Raises:
            NotFound: there is no such task, or it was forgotten.
        """
        record = self._servers.lookup.find(task_id)
        return record.task.name, record.origin.params

    @from_any_thread
    def list_tasks(self, limit: int = MAX_PAGE, before: str | None = None) -> TaskPage:
        """Return one page of the tasks of all servers, newest first, without their results.

        Args:
            limit: the largest number of tasks in the page, 1 to :data:`MAX_PAGE`.
            before: the ``next`` of the page before; None for the newest tasks.

        Raises:
            BadRequest: ``limit`` or ``before`` is invalid.
        """
        return TaskPage.read(self._store, self._servers.list, limit, before)

    @from_any_thread
    def remove_completed_task(self, task_id: str) -> None:
        """Forget a task that is over, with any terminal status.

        Raises:
            NotFound: there is no such task.
            InvalidOperationException: the task is pending or running; cancel it first.
            Unavailable: another process remembers the task, and does not answer.
        """
        record = self._servers.lookup.find(task_id)
        if self._elsewhere.may_have(record):
            if self._elsewhere.remove(record):
                return
            self._takeover.look()  # the process of the task has ended
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
            self._servers.stop()
            self._store.close()

    def _cancel_all(self, records: list[TaskRecord]) -> None:
        for record in records:
            self._conductor.settle(record, TaskOutcome.cancelled())
            let_others_run_if_due()
