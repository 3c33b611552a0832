"""The tasks that are known: running ones, and finished ones until their time is up."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

import gevent

from app.errors import InvalidOperationException, NotFound
from app.services.task_record import TaskRecord

__all__ = ["TaskStore"]

_SHORTEST_PAUSE_SECONDS = 0.001
"""Tasks that end within this time are forgotten together."""


class TaskStore:
    """Remembers tasks by id.

    A finished task is gone the moment its time is up, whoever asks. A timer, running only while
    there are finished tasks, frees their memory when nobody asks.

    Args:
        keep_seconds: how long a finished task is remembered.
        clock: monotonic seconds.
    """

    def __init__(self, keep_seconds: float, clock: Callable[[], float]) -> None:
        self._keep_seconds = keep_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._records: dict[str, TaskRecord] = {}
        self._finished: deque[TaskRecord] = deque()  # in the order of their ends
        self._sweeper: gevent.Greenlet[..., None] | None = None
        self._closed = False

    def add(self, record: TaskRecord) -> None:
        """Remember a task. Call :meth:`finished` when it is over."""
        with self._lock:
            self._records[record.task_id] = record

    def finished(self, record: TaskRecord) -> None:
        """A task is over: its time to be forgotten begins to run."""
        with self._lock:
            self._finished.append(record)
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
                f"There is no task {task_id}; finished tasks are forgotten after"
                f" {self._keep_seconds:g} s"
            )
        return record

    def all(self) -> list[TaskRecord]:
        """Every task that is known, oldest first."""
        with self._lock:
            self._forget_expired()
            return list(self._records.values())

    def remove(self, task_id: str) -> None:
        """Forget a finished task now.

        Raises:
            NotFound: there is no such task.
            InvalidOperationException: it is not over yet.
        """
        record = self.find(task_id)
        with self._lock:
            if record in self._finished:
                self._finished.remove(record)
                del self._records[task_id]
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
        while self._finished and (self._finished[0].finished_clock or 0.0) <= limit:
            del self._records[self._finished.popleft().task_id]

    def _arm_sweeper(self) -> None:
        if self._sweeper is None and self._finished and not self._closed:
            # Timers may fire some microseconds early: what is left then is not a whole time more.
            due = (self._finished[0].finished_clock or 0.0) + self._keep_seconds
            pause = max(due - self._clock(), _SHORTEST_PAUSE_SECONDS)
            self._sweeper = gevent.spawn_later(pause, self._sweep)

    def _sweep(self) -> None:
        with self._lock:
            self._forget_expired()
            self._sweeper = None
            self._arm_sweeper()
