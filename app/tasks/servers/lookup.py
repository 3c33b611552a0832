"""Looks up one task: on this server, and then on all others."""

from __future__ import annotations

import logging
from collections import OrderedDict
from typing import Any

import gevent
from gevent.event import AsyncResult

from app.errors import NotFound, Unavailable
from app.services.elsewhere.asking import ask_others
from app.tasks.memory.rows import RowReader, TaskRow, row_checksum, summary_of
from app.tasks.run.record import TaskRecord
from app.tasks.run.store import TaskStore
from gateway_shim.streams.peers.peers import Peers
from gateway_shim.streams.peers.servers import processes_of_other_servers

__all__ = ["MAX_WAITING", "TaskLookup"]

logger = logging.getLogger(__name__)

FIND = "task_find"

MAX_ID = 64
"""The number of characters of the longest ID that is looked up on other servers."""

IDS_AT_ONCE = 100
"""The largest number of tasks in one question."""

MAX_WAITING = 2000
"""The largest number of tasks that wait to be looked up. A look-up of more is refused."""

PAUSE_SECONDS = 0.05
"""The pause after a question while more tasks wait. Whoever asks for a thousand tasks a second that
do not exist makes 20 questions a second, which do not push the events out of the log."""


class TaskLookup:
    """Finds a task by its ID, whichever server has it.

    Look-ups at the same time share one question.

    Args:
        peers: the other processes.
        store: the tasks of this server.
        reader: makes copies of the tasks of other servers.
    """

    def __init__(self, peers: Peers, store: TaskStore, reader: RowReader) -> None:
        self._peers = peers
        self._store = store
        self._reader = reader
        self._waiting: OrderedDict[str, AsyncResult[TaskRecord | None]] = OrderedDict()
        self._asker: gevent.Greenlet[..., None] | None = None
        peers.when_asked(FIND, self._answer)

    def find(self, task_id: str) -> TaskRecord:
        """Return the task with this ID, or a copy of it if it belongs to another process.

        Waits for the other servers only if this server does not know the task.

        Raises:
            NotFound: there is no such task, or it was forgotten.
            Unavailable: another server did not answer in time, and may have the task.
        """
        try:
            return self._store.find(task_id)
        except NotFound:
            if not processes_of_other_servers(self._peers):
                raise
            if len(task_id) > MAX_ID or (record := self._find_elsewhere(task_id)) is None:
                raise
            return record

    def _find_elsewhere(self, task_id: str) -> TaskRecord | None:
        if (result := self._waiting.get(task_id)) is None:
            if len(self._waiting) >= MAX_WAITING:
                raise Unavailable(
                    "Too many tasks are being looked up on other servers; try again in some seconds"
                )
            self._waiting[task_id] = result = AsyncResult()
            if self._asker is None:
                self._asker = gevent.spawn(self._ask_all)
        return result.get()

    def _ask_all(self) -> None:
        try:
            while True:
                batch: dict[str, AsyncResult[TaskRecord | None]] = {}
                while self._waiting and len(batch) < IDS_AT_ONCE:
                    task_id, result = self._waiting.popitem(last=False)
                    batch[task_id] = result
                self._ask(batch)
                if not self._waiting:
                    return
                gevent.sleep(PAUSE_SECONDS)
        finally:
            self._asker = None

    def _ask(self, batch: dict[str, AsyncResult[TaskRecord | None]]) -> None:
        found: dict[str, TaskRecord] = {}

        def are_all_found(rows: list[dict[str, Any]]) -> bool:
            for row in rows:
                if (record := self._copy(row)) is not None:
                    found[record.task_id] = record
            return batch.keys() <= found.keys()

        try:
            answers = ask_others(self._peers, FIND, list(batch), ends=are_all_found)
            missing = None
            if not answers.are_complete:
                missing = Unavailable(
                    "The task may be on a server that does not answer at the moment; try again in"
                    " some seconds"
                )
        except Exception as exc:
            logger.exception("tasks could not be looked up on other servers")
            missing = Unavailable(f"The other servers could not be asked for the task: {exc}")
        for task_id, result in batch.items():
            if task_id in found or missing is None:
                result.set(found.get(task_id))
            else:
                result.set_exception(missing)

    def _copy(self, row: dict[str, Any]) -> TaskRecord | None:
        task_id, number, summary = row["task_id"], row["number"], row["summary"].encode()
        checksum = row_checksum(task_id, number, "", summary)
        record = self._reader.read(TaskRow(0, task_id, number, "", 0, checksum, summary, None))
        if record is None:  # of another version of this program, in a rolling restart
            logger.warning("a task of another server cannot be read", extra={"task_id": task_id})
            return None
        record.is_elsewhere, record.process = True, row["process"]
        return record

    def _answer(self, task_ids: list[str]) -> list[dict[str, Any]]:
        """Return those of some tasks that this process has."""
        own = [record for task_id in task_ids if (record := self._store.find_own(task_id))]
        return [
            {
                "process": self._peers.process,
                "task_id": record.task_id,
                "number": record.number,
                "summary": summary_of(record, None).decode(),
            }
            for record in own
        ]
