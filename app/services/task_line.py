"""Who runs and who waits: the slots, and the line before them. Decides only; pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from app.errors import InvalidOperationException, TooBusy
from app.services.task_record import TaskRecord

__all__ = ["TaskLine"]


class TaskLine:
    """So many slots, and a bounded line, first come first served.

    Not safe for concurrent use: the task service calls it with its lock held.

    Args:
        slots: tasks that run at the same time.
        capacity: tasks that may wait; a further one is refused.
        begin: called with each task whose turn has come.
    """

    def __init__(self, slots: int, capacity: int, begin: Callable[[TaskRecord], None]) -> None:
        self._slots = slots
        self._capacity = capacity
        self._begin = begin
        self._waiting: deque[TaskRecord] = deque()
        self._unfinished = 0
        self._closed = False
        self.running = 0

    @property
    def is_empty(self) -> bool:
        """Whether nobody runs, waits, or has left the line without a :meth:`finished`."""
        return self._unfinished == 0

    def join(self, record: TaskRecord) -> list[TaskRecord]:
        """Put a task at the end of the line.

        Returns:
            The tasks that begin now: this one, or none.

        Raises:
            InvalidOperationException: the line is closed.
            TooBusy: the line is full.
        """
        if self._closed:
            raise InvalidOperationException("The server is shutting down; no task is started")
        if self.running >= self._slots and len(self._waiting) >= self._capacity:
            raise TooBusy(f"The line is full, {self._capacity} waiting; try again later")
        self._waiting.append(record)
        self._unfinished += 1
        return self._fill()

    def leave(self, record: TaskRecord) -> None:
        """Take a waiting task out of the line. Call :meth:`finished` for it nevertheless."""
        self._waiting.remove(record)

    def finished(self, record: TaskRecord) -> list[TaskRecord]:
        """A task's terminal event was sent: its slot, if it ever had one, is free.

        Returns:
            The tasks that begin now.
        """
        self._unfinished -= 1
        if record.started_at is not None:
            self.running -= 1
        return self._fill()

    def close(self) -> list[TaskRecord]:
        """Let nobody join any more.

        Returns:
            The tasks that wait now.
        """
        self._closed = True
        return list(self._waiting)

    def _fill(self) -> list[TaskRecord]:
        begun = []
        while self._waiting and self.running < self._slots:
            record = self._waiting.popleft()
            self._begin(record)
            self.running += 1
            begun.append(record)
        return begun
