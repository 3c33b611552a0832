"""Who runs and who waits: the slots, and the line before them. Decides only; pure.

The line is fair between clients. The next slot goes to the client that has the fewest tasks
running; among equals, to the one whose last task began longest ago. Each client's own tasks begin
in the order of their starts. Where there are several slots, one client never has the last of them.
So one client's long tasks and full line delay its own tasks, and nobody else's for long.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from app.errors import InvalidOperationException, TooBusy
from app.tasks.run.record import TaskRecord
from gateway_shim.streams.refusal_counts import RefusalReason

__all__ = ["LineLimits", "TaskLine", "TaskRefused"]


class TaskRefused(TooBusy):
    """A limit of the line keeps a task out.

    Args:
        message: one sentence for the caller.
        reason: which limit, for the metrics.
    """

    def __init__(self, message: str, reason: RefusalReason) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class LineLimits:
    """How many tasks there may be.

    Args:
        running: tasks that run at the same time.
        waiting: tasks that may wait.
        waiting_bytes: bytes of JSON that the parameters of all waiting tasks may have together.
        per_client: tasks of one client that may be unfinished, running or waiting.
    """

    running: int = 4
    waiting: int = 1000
    waiting_bytes: int = 8 * 1024 * 1024
    per_client: int = 100


@dataclass(slots=True)
class _Client:
    """One client's unfinished tasks; those of nobody in particular are one client's, too."""

    running: int = 0
    unfinished: int = 0
    last_begun: int = 0
    waiting: dict[TaskRecord, None] = field(default_factory=dict)


class TaskLine:
    """The slots, and a bounded line.

    Not safe for concurrent use: the task service calls it with its lock held.

    Args:
        limits: how many tasks there may be.
        begin: called with each task whose turn has come.
    """

    def __init__(self, limits: LineLimits, begin: Callable[[TaskRecord], None]) -> None:
        self._limits = limits
        self._begin = begin
        self._clients: dict[str, _Client] = {}
        self._waiting = 0
        self._waiting_bytes = 0
        self._begun = 0
        self._closed = False
        self.running = 0

    @property
    def is_empty(self) -> bool:
        """Whether nobody runs, waits, or has left the line without a :meth:`finished`."""
        return not self._clients

    def join(self, record: TaskRecord) -> list[TaskRecord]:
        """Put a task at the end of its client's line.

        Returns:
            The tasks that begin now: this one, or none.

        Raises:
            InvalidOperationException: the line is closed.
            TaskRefused: a limit keeps the task out; no other task has changed.
        """
        if self._closed:
            raise InvalidOperationException("The server is shutting down; no task is started")
        name = record.origin.client
        client = self._clients.get(name) or _Client()
        if name and client.unfinished >= self._limits.per_client:
            raise TaskRefused(
                f"{self._limits.per_client} tasks of your address are unfinished;"
                " wait until one has ended, or cancel one",
                RefusalReason.TASKS_PER_ADDRESS,
            )
        if not self._may_run(name, client):
            self._check_room(record)
        self._clients[name] = client
        client.unfinished += 1
        client.waiting[record] = None
        self._waiting += 1
        self._waiting_bytes += record.origin.params_bytes
        return self._fill()

    def leave(self, record: TaskRecord) -> None:
        """Take a waiting task out of the line. Call :meth:`finished` for it nevertheless."""
        del self._clients[record.origin.client].waiting[record]
        self._waiting -= 1
        self._waiting_bytes -= record.origin.params_bytes

    def finished(self, record: TaskRecord) -> list[TaskRecord]:
        """A task's terminal event was sent: its slot, if it ever had one, is free.

        Returns:
            The tasks that begin now.
        """
        name = record.origin.client
        client = self._clients[name]
        client.unfinished -= 1
        if record.started_at is not None:
            client.running -= 1
            self.running -= 1
        if not client.unfinished:
            del self._clients[name]
        return self._fill()

    def close(self) -> list[TaskRecord]:
        """Let nobody join any more.

        Returns:
            The tasks that wait now.
        """
        self._closed = True
        return [record for client in self._clients.values() for record in client.waiting]

    def _check_room(self, record: TaskRecord) -> None:
        if self._waiting >= self._limits.waiting:
            raise TaskRefused(
                f"The line is full, {self._limits.waiting} waiting; try again later",
                RefusalReason.TASK_LINE,
            )
        if self._waiting_bytes + record.origin.params_bytes > self._limits.waiting_bytes:
            raise TaskRefused(
                f"The parameters of all waiting tasks may have {self._limits.waiting_bytes} bytes;"
                " try again later, or with less",
                RefusalReason.TASK_LINE_BYTES,
            )

    def _may_run(self, name: str, client: _Client) -> bool:
        """Whether a task of that client can begin at once."""
        if self.running >= self._limits.running:
            return False
        return not name or client.running < max(self._limits.running - 1, 1)

    def _fill(self) -> list[TaskRecord]:
        begun = []
        while (client := self._next_client()) is not None:
            record = next(iter(client.waiting))
            self.leave(record)
            self._begin(record)
            self._begun += 1
            client.last_begun = self._begun
            client.running += 1
            self.running += 1
            begun.append(record)
        return begun

    def _next_client(self) -> _Client | None:
        ready = (
            client
            for name, client in self._clients.items()
            if client.waiting and self._may_run(name, client)
        )
        return min(ready, key=lambda client: (client.running, client.last_begun), default=None)
