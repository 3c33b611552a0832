"""The slots for running tasks, and the line of waiting tasks. Pure: it only decides.

The line is fair between clients. A free slot goes to the client with the fewest running tasks.
Among equal clients, the slot goes to the client whose last task began the longest time ago. The
tasks of one client begin in the order of their starts. If there are several slots, one client never
has all of them. So the long tasks of one client delay its own tasks, but do not delay the tasks of
other clients for long.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from app.errors import InvalidOperationException, TooBusy
from app.tasks.run.record import TaskRecord
from gateway_shim.streams.refusal_counts import RefusalReason

__all__ = ["LineLimits", "TaskLine", "TaskRefused"]


class TaskRefused(TooBusy):
    """A task exceeds a limit of the line.

    Args:
        message: one sentence for the caller.
        reason: the limit, for the metrics.
    """

    def __init__(self, message: str, reason: RefusalReason) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class LineLimits:
    """The limits of running and waiting tasks.

    Args:
        running: the number of slots: tasks that run at the same time.
        waiting: the largest number of waiting tasks.
        waiting_bytes: the largest size of the parameters of all waiting tasks as JSON, bytes.
        per_client: the largest number of unfinished tasks, running or waiting, of one client.
    """

    running: int = 4
    waiting: int = 1000
    waiting_bytes: int = 8 * 1024 * 1024
    per_client: int = 100


@dataclass(slots=True)
class _Client:
    """The unfinished tasks of one client. All tasks without a client count as one client's."""

    # Tasks that have a slot.
    running: int = 0
    # Tasks that have joined the line and for which finished() was not called.
    unfinished: int = 0
    # The number of the last task that began, counted over all clients.
    last_begun: int = 0
    # The waiting tasks, in the order of their starts.
    waiting: dict[TaskRecord, None] = field(default_factory=dict)


class TaskLine:
    """The slots, and a bounded line of waiting tasks.

    The line is not safe for concurrent use. The conductor calls it with its lock held.

    Args:
        limits: the limits of running and waiting tasks.
        begin: called with each task that gets a slot.
    """

    def __init__(self, limits: LineLimits, begin: Callable[[TaskRecord], None]) -> None:
        self._limits = limits
        self._begin = begin
        self._clients: dict[str, _Client] = {}  # the clients with unfinished tasks, by name
        self.waiting = 0  # the waiting tasks of all clients
        self._waiting_bytes = 0  # the size of their parameters
        self._begun = 0  # the number of tasks that have begun so far
        self._closed = False  # no task may join any more
        self.running = 0  # the slots in use

    @property
    def is_empty(self) -> bool:
        """True if every task that has joined was followed by a call of :meth:`finished`."""
        return not self._clients

    def join(self, record: TaskRecord) -> list[TaskRecord]:
        """Put a task at the end of its client's line.

        Returns:
            The tasks that begin now: this task, or none.

        Raises:
            InvalidOperationException: the line is closed.
            TaskRefused: the task exceeds a limit; nothing was changed.
        """
        if self._closed:
            raise InvalidOperationException("The server is shutting down; no task is started")
        name = record.origin.client
        client = self._clients.get(name) or _Client()
        if name and client.unfinished >= self._limits.per_client:
            raise TaskRefused(
                f"Your address has reached its limit of {self._limits.per_client} unfinished tasks;"
                " wait until a task has ended, or cancel a task",
                RefusalReason.TASKS_PER_ADDRESS,
            )
        if not self._may_run(name, client):
            self._check_room(record)
        self._clients[name] = client
        client.unfinished += 1
        client.waiting[record] = None
        self.waiting += 1
        self._waiting_bytes += record.origin.params_bytes
        return self._fill()

    def leave(self, record: TaskRecord) -> None:
        """Remove a waiting task from the line. Call :meth:`finished` for the task later."""
        del self._clients[record.origin.client].waiting[record]
        self.waiting -= 1
        self._waiting_bytes -= record.origin.params_bytes

    def finished(self, record: TaskRecord) -> list[TaskRecord]:
        """Free the slot of a task, if it had one, after its terminal event was sent.

        Returns:
            The tasks that begin now.
        """
        name = record.origin.client
        client = self._clients[name]
        client.unfinished -= 1
        if record.had_slot:
            client.running -= 1
            self.running -= 1
        if not client.unfinished:
            del self._clients[name]
        return self._fill()

    def close(self) -> list[TaskRecord]:
        """Refuse all further tasks.

        Returns:
            The waiting tasks.
        """
        self._closed = True
        return [record for client in self._clients.values() for record in client.waiting]

    def _check_room(self, record: TaskRecord) -> None:
        if self.waiting >= self._limits.waiting:
            raise TaskRefused(
                f"The line of waiting tasks is full (limit {self._limits.waiting});"
                " try again later",
                RefusalReason.TASK_LINE,
            )
        if self._waiting_bytes + record.origin.params_bytes > self._limits.waiting_bytes:
            raise TaskRefused(
                f"The parameters of all waiting tasks may have {self._limits.waiting_bytes} bytes"
                " together; try again later, or with smaller parameters",
                RefusalReason.TASK_LINE_BYTES,
            )

    def _may_run(self, name: str, client: _Client) -> bool:
        """Return whether a task of this client can begin at once."""
        if self.running >= self._limits.running:
            return False
        return not name or client.running < max(self._limits.running - 1, 1)

    def _fill(self) -> list[TaskRecord]:
        """Give the free slots to waiting tasks, and return these tasks."""
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
