"""The tasks that are known: running ones, and finished ones until they are forgotten."""

from __future__ import annotations

import itertools
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import gevent

from app.errors import InvalidOperationException, NotFound
from app.tasks.run.record import TaskRecord

__all__ = ["StoreLimits", "TaskStore"]


@dataclass(frozen=True, slots=True)
class StoreLimits:
    """What is remembered of finished tasks.

    Args:
        seconds: how long a finished task is remembered.
        finished: finished tasks that are remembered; then the one that ended first is forgotten.
        finished_bytes: bytes of their results; likewise. The last one is remembered whatever the
            size of its result.
    """

    seconds: float = 600.0
    finished: int = 1000
    finished_bytes: int = 32 * 1024 * 1024


_SHORTEST_PAUSE_SECONDS = 0.001
"""Tasks that end within this time are forgotten together."""


class TaskStore:
    """Remembers tasks by id.

    A finished task is gone the moment its time is up, whoever asks. A timer, running only while
    there are finished tasks, frees their memory when nobody asks.

    Args:
        limits: what is remembered.
        clock: monotonic seconds.
    """

    def __init__(self, limits: StoreLimits, clock: Callable[[], float]) -> None:
        self._limits = limits
        self._keep_seconds = limits.seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._records: dict[str, TaskRecord] = {}  # in the order of their starts
        self._finished: OrderedDict[str, TaskRecord] = OrderedDict()  # in the order of their ends
        self._finished_bytes = 0
        self._sweeper: gevent.Greenlet[..., None] | None = None
        self._closed = False

    def add(self, record: TaskRecord) -> None:
        """Remember a task. Call :meth:`finished` when it is over."""
        with self._lock:
            self._records[record.task_id] = record

    def finished(self, record: TaskRecord) -> None:
        """A task is over: its time to be forgotten begins to run, and others may be forgotten."""
        with self._lock:
            self._finished[record.task_id] = record
            self._finished_bytes += record.result_bytes
            while len(self._finished) > 1 and (
                len(self._finished) > self._limits.finished
                or self._finished_bytes > self._limits.finished_bytes
            ):
                self._forget_first()
            self._arm_sweeper()

    def find(self, task_id: str) -> TaskRecord:
        """The task of that id.

        Raises:
            NotFound: there is none, or it was forgotten.
        """
        with self._lock:
            self._forget_expired()
            record = self._records.get(task_id)
        if record is None:
            raise NotFound(
                f"There is no task {task_id[:100]}; finished tasks are forgotten after"
                f" {self._keep_seconds:g} s, and the oldest sooner where there are many"
            )
        return record

    def all(self) -> list[TaskRecord]:
        """Every task that is known, oldest first."""
        with self._lock:
            self._forget_expired()
            return list(self._records.values())

    def newest(self, count: int, before: int | None = None) -> list[TaskRecord]:
        """The newest tasks, newest first.

        Args:
            count: how many at most.
            before: only those with a lower number.
        """
        with self._lock:
            self._forget_expired()
            records = reversed(self._records.values())
            older = (record for record in records if before is None or record.number < before)
            return list(itertools.islice(older, count))

    def remove(self, task_id: str) -> None:
        """Forget a finished task now.

        Raises:
            NotFound: there is no such task.
            InvalidOperationException: it is not over yet.
        """
        record = self.find(task_id)
        with self._lock:
            if task_id in self._finished:
                self._forget(task_id)
                return
        raise InvalidOperationException(
            f"Task {task_id} is {record.status}; cancel it before you remove it"
        )

    def close(self) -> None:
        """Stop the timer for good."""
        with self._lock:
            self._closed = True
            sweeper, self._sweeper = self._sweeper, None
        if sweeper is not None:
            sweeper.kill(block=False)

    def _forget_expired(self) -> None:
        limit = self._clock() - self._keep_seconds
        while self._finished and (self._first().finished_clock or 0.0) <= limit:
            self._forget_first()

    def _first(self) -> TaskRecord:
        return next(iter(self._finished.values()))

    def _forget_first(self) -> None:
        self._forget(self._first().task_id)

    def _forget(self, task_id: str) -> None:
        self._finished_bytes -= self._finished.pop(task_id).result_bytes
        del self._records[task_id]

    def _arm_sweeper(self) -> None:
        if self._sweeper is None and self._finished and not self._closed:
            # Timers may fire some microseconds early: what is left then is not a whole time more.
            due = (self._first().finished_clock or 0.0) + self._keep_seconds
            pause = max(due - self._clock(), _SHORTEST_PAUSE_SECONDS)
            self._sweeper = gevent.spawn_later(pause, self._sweep)

    def _sweep(self) -> None:
        with self._lock:
            self._forget_expired()
            self._sweeper = None
            self._arm_sweeper()
