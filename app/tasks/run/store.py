"""The store of tasks by ID: unfinished tasks, and finished tasks until they are forgotten."""

from __future__ import annotations

import itertools
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import gevent

from app.errors import InvalidOperationException, NotFound
from app.tasks.memory.table import TaskTable
from app.tasks.run.record import TaskRecord

__all__ = ["StoreLimits", "TaskStore"]


@dataclass(frozen=True, slots=True)
class StoreLimits:
    """The limits of remembered finished tasks.

    If a limit is exceeded, the task that ended first is forgotten.

    Args:
        seconds: the time for which a finished task is remembered.
        finished: the largest number of finished tasks.
        finished_bytes: the largest size of all their results and parameters, bytes. The task that
            ended last is remembered even if its result alone is larger.
    """

    seconds: float = 600.0
    finished: int = 1000
    finished_bytes: int = 32 * 1024 * 1024


_SHORTEST_PAUSE_SECONDS = 0.001
"""The shortest pause of the timer. Tasks that end within this time are forgotten together."""


class TaskStore:
    """The tasks by ID.

    Each call first forgets the finished tasks whose time is over. A timer frees their memory if
    there are no calls. The timer runs only while there are finished tasks.

    Each change is saved in the table of the server, in which the tasks of other processes are
    found, too. Calls wait for it only if they say so.

    Args:
        limits: the limits of remembered finished tasks; each process remembers as many.
        clock: returns monotonic seconds.
        table: the table of the server; None: nothing is saved.
        is_shared: returns whether other processes serve, which show the progress of tasks, too.
    """

    def __init__(
        self,
        limits: StoreLimits,
        clock: Callable[[], float],
        table: TaskTable | None = None,
        is_shared: Callable[[], bool] = lambda: False,
    ) -> None:
        self._is_shared = is_shared
        self._limits = limits
        self._table = table or TaskTable()
        self._keep_seconds = limits.seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._records: dict[str, TaskRecord] = {}  # in the order of their starts
        self._finished: OrderedDict[str, TaskRecord] = OrderedDict()  # in the order of their ends
        self._finished_bytes = 0  # the size of what is kept of all finished tasks
        self._sweeper: gevent.Greenlet[..., None] | None = None  # the timer
        self._closed = False  # no timer may be started any more

    def add(self, record: TaskRecord) -> None:
        """Remember a task. Call :meth:`finished` when the task is over."""
        with self._lock:
            self._records[record.task_id] = record
        self._table.save(record)

    def began(self, record: TaskRecord) -> None:
        """Save that a task which has waited runs now."""
        self._table.save(record)

    def finished(self, record: TaskRecord) -> None:
        """Count a task as finished, and forget other finished tasks that exceed a limit."""
        self._table.save(record)
        with self._lock:
            self._count(record)
            self._trim()

    def progressed(self, record: TaskRecord) -> None:
        """Save the progress of a task within a second, if other processes may show it."""
        if self._is_shared():
            self._table.save(record, soon=False)

    def telling(self, record: TaskRecord) -> None:
        """Save that the terminal event of a task is being sent.

        Waits, so that the event is not sent again if this process is killed, and so that a browser
        which gets it finds the task ended in every process.
        """
        self._table.told(record)
        self._table.wait_until_saved(record.task_id)

    def wait_until_saved(self, task_id: str) -> None:
        """Wait until other processes find what was changed of a task."""
        self._table.wait_until_saved(task_id)

    def adopt(self, records: list[TaskRecord]) -> None:
        """Remember finished tasks of processes that have ended. They are saved already."""
        with self._lock:
            for record in records:
                self._records[record.task_id] = record
                self._count(record)
            in_order = sorted(self._records.items(), key=lambda item: item[1].number)
            self._records = dict(in_order)
            ends = sorted(self._finished.items(), key=lambda item: item[1].finished_clock or 0.0)
            self._finished = OrderedDict(ends)
            self._forget_expired()
            self._trim()

    def find(self, task_id: str) -> TaskRecord:
        """Return the task with this ID, or a copy of it if it belongs to another process.

        Raises:
            NotFound: there is no such task, or it was forgotten.
        """
        with self._lock:
            self._forget_expired()
            record = self._records.get(task_id)
        record = record or self._table.find(task_id)
        if record is None:
            raise NotFound(
                f"There is no task {task_id[:100]}; finished tasks are forgotten after"
                f" {self._keep_seconds:g} s, or sooner if there are many"
            )
        return record

    def find_own(self, task_id: str) -> TaskRecord | None:
        """Return the task of this process with this ID, if there is one."""
        with self._lock:
            self._forget_expired()
            return self._records.get(task_id)

    def find_here(self, task_id: str) -> TaskRecord:
        """Return the task with this ID, in order to end it.

        Raises:
            NotFound: there is no such task, or it was forgotten.
            InvalidOperationException: another process runs the task.
        """
        record = self.find(task_id)
        if record.is_elsewhere and not record.is_over:
            raise InvalidOperationException(
                f"Task {task_id} is {record.status} in another process of this server, and only"
                " that process can end it; wait until the task is over"
            )
        return record

    def all(self) -> list[TaskRecord]:
        """Return all tasks of this process, oldest first."""
        with self._lock:
            self._forget_expired()
            return list(self._records.values())

    def newest(self, count: int, before: int | None = None) -> list[TaskRecord]:
        """Return the newest tasks, newest first.

        Args:
            count: the largest number of tasks to return.
            before: return only tasks with a lower number than this.
        """
        with self._lock:
            self._forget_expired()
            records = reversed(self._records.values())
            older = (record for record in records if before is None or record.number < before)
            own = list(itertools.islice(older, count))
        found = own + self._table.newest(count, before)
        return sorted(found, key=lambda record: record.number, reverse=True)[:count]

    def remove(self, task_id: str) -> None:
        """Forget a finished task now, in all processes. Waits until they cannot find it.

        Raises:
            NotFound: there is no such task.
            InvalidOperationException: the task is not over.
        """
        record = self.find_here(task_id)
        with self._lock:
            is_own = task_id in self._finished
            if is_own:
                self._forget(task_id, soon=True)
        if is_own or record.is_elsewhere:
            if not is_own:
                self._table.forget(task_id, soon=True)
            self._table.wait_until_saved(task_id)
            return
        raise InvalidOperationException(
            f"Task {task_id} is {record.status}; cancel it before you remove it"
        )

    def close(self) -> None:
        """Stop the timer, and never start it again."""
        with self._lock:
            self._closed = True
            sweeper, self._sweeper = self._sweeper, None
        if sweeper is not None:
            sweeper.kill(block=False)

    def _forget_expired(self) -> None:
        limit = self._clock() - self._keep_seconds
        while self._finished and (self._first().finished_clock or 0.0) <= limit:
            self._forget_first()

    def _count(self, record: TaskRecord) -> None:
        self._finished[record.task_id] = record
        self._finished_bytes += record.kept_bytes

    def _trim(self) -> None:
        while len(self._finished) > 1 and (
            len(self._finished) > self._limits.finished
            or self._finished_bytes > self._limits.finished_bytes
        ):
            self._forget_first()
        self._arm_sweeper()

    def _first(self) -> TaskRecord:
        return next(iter(self._finished.values()))

    def _forget_first(self) -> None:
        self._forget(self._first().task_id)

    def _forget(self, task_id: str, *, soon: bool = False) -> None:
        self._finished_bytes -= self._finished.pop(task_id).kept_bytes
        del self._records[task_id]
        self._table.forget(task_id, soon=soon)

    def _arm_sweeper(self) -> None:
        if self._sweeper is None and self._finished and not self._closed:
            # A timer may fire some microseconds too early. Then only the rest of the time is
            # waited for, and not the whole time again.
            due = (self._first().finished_clock or 0.0) + self._keep_seconds
            pause = max(due - self._clock(), _SHORTEST_PAUSE_SECONDS)
            self._sweeper = gevent.spawn_later(pause, self._sweep)

    def _sweep(self) -> None:
        with self._lock:
            self._forget_expired()
            self._sweeper = None
            self._arm_sweeper()
