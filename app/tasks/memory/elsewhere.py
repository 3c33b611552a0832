"""The tasks of the other processes: cancelled, removed and read by the process that has them.

A question about a task of this server goes to all processes, because the table names a process by
its mark in the memory of the server, and not by its name in the log. Each process answers, so a
silent one is noticed. Of a task of another server, the process is known
(:mod:`app.tasks.servers.lookup`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from app.errors import InvalidOperationException, NotFound, Unavailable
from app.schemas.task_schema import TaskStatus
from app.services.elsewhere.asking import ask_others
from app.tasks.run.outcome import TaskOutcome
from app.tasks.run.record import TaskRecord
from app.tasks.run.store import TaskStore
from gateway_shim.streams.peers.peers import Peers

__all__ = ["TasksElsewhere"]

CANCEL = "task_cancel"
REMOVE = "task_remove"
STATUS = "task_status"

Answer = dict[str, Any]

_NOT_HERE: Answer = {"has": False}


class TasksElsewhere:
    """Asks the other processes about their tasks, and answers for the tasks of this process.

    Args:
        peers: the other processes.
        store: the tasks of this process.
        settle: ends a task; returns whether it was not over yet.
    """

    def __init__(
        self, peers: Peers, store: TaskStore, settle: Callable[[TaskRecord, TaskOutcome], bool]
    ) -> None:
        self._peers = peers
        self._store = store
        self._settle = settle
        peers.when_asked(CANCEL, self._answer_cancel)
        peers.when_asked(REMOVE, self._answer_remove)
        peers.when_asked(STATUS, self._answer_status)

    def may_have(self, record: TaskRecord) -> bool:
        """Return whether another process can be asked about a task."""
        return record.is_elsewhere and self._peers.are_there

    def cancel(self, record: TaskRecord) -> TaskStatus | None:
        """Cancel a task of another process. Waits for the answer.

        Returns:
            The status of the task; None if no other process has it: its process has ended.

        Raises:
            InvalidOperationException: the task is over already.
            Unavailable: a process did not answer in time, and may have the task.
        """
        answer = self._ask(CANCEL, record)
        return None if answer is None else TaskStatus(answer["status"])

    def cancel_here(self, record: TaskRecord) -> TaskStatus:
        """Cancel a task of this process.

        Raises:
            InvalidOperationException: the task is over already.
        """
        if not self._settle(record, TaskOutcome.cancelled()):
            raise InvalidOperationException(
                f"Task {record.task_id} is {record.status} already; only a pending or running task"
                " can be cancelled"
            )
        self._store.wait_until_saved(record.task_id)
        return record.status

    def remove(self, record: TaskRecord) -> bool:
        """Remove a finished task of another process, in all processes. Waits for the answer.

        Returns:
            False if no other process has the task: its process has ended.

        Raises:
            InvalidOperationException: the task is not over.
            Unavailable: a process did not answer in time, and may have the task.
        """
        return self._ask(REMOVE, record) is not None

    def status_json(self, record: TaskRecord) -> bytes | None:
        """Return the status of a task whose result only another process has. Waits for the answer.

        Returns:
            The status as JSON; None if the result is here, or if no process has it any more.

        Raises:
            Unavailable: a process did not answer in time, and may have the result.
        """
        if not (record.lacks_result and self.may_have(record)):
            return None
        answer = self._ask(STATUS, record)
        return None if answer is None else str(answer["body"]).encode("utf-8", "surrogatepass")

    # ---------------------------------------------------------------- private

    def _ask(self, kind: str, record: TaskRecord) -> Answer | None:
        """Return the answer of the process that has a task; None if no process has it."""
        task_id = record.task_id
        to = record.process or None
        answers = ask_others(self._peers, kind, task_id, to=to, ends=lambda answer: answer["has"])
        found: Answer | None = next((answer for answer in answers.data if answer["has"]), None)
        if found is None and not answers.are_complete:
            raise Unavailable(
                f"Task {task_id} may be in a process that does not answer at the"
                " moment; try again in some seconds"
            )
        if found is not None and "conflict" in found:
            raise InvalidOperationException(found["conflict"])
        return found

    def _answer_cancel(self, task_id: str) -> Answer:
        record = self._store.find_own(task_id)
        if record is None:
            return _NOT_HERE
        try:
            return {"has": True, "status": self.cancel_here(record).value}
        except InvalidOperationException as exc:
            return {"has": True, "conflict": exc.message}

    def _answer_remove(self, task_id: str) -> Answer:
        if self._store.find_own(task_id) is None:
            return _NOT_HERE
        try:
            self._store.remove(task_id)
        except InvalidOperationException as exc:
            return {"has": True, "conflict": exc.message}
        except NotFound:
            return _NOT_HERE
        return {"has": True}

    def _answer_status(self, task_id: str) -> Answer:
        record = self._store.find_own(task_id)
        if record is None:
            return _NOT_HERE
        return {"has": True, "body": record.full_json().decode("utf-8", "surrogatepass")}
