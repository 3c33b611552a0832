"""The table of tasks in the memory of the server: own tasks are saved, others' tasks are read."""

from __future__ import annotations

import logging
import sqlite3
import time
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple

from app.state.server_memory import ServerMemory
from app.tasks.memory.rows import RowReader, TaskRow, row_checksum, summary_of
from app.tasks.run.outcome import ResultLimits, TaskOutcome
from app.tasks.run.record import TaskRecord

__all__ = ["TakenOver", "TaskTable"]

logger = logging.getLogger(__name__)

RESULTS_BYTES_IN_RAM = 16 * 1024 * 1024
"""The largest size of all saved results of all workers together if the directory is in the
machine's memory, of which containers often have 64 MB. Each worker has the same part."""

_PLACES = 1000
"""The number of places for processes in the numbers of tasks."""

ROWS_AT_ONCE = 32
"""The largest number of tasks that are taken over in one transaction."""

_FIND = """
SELECT rowid, task_id, number, process, told, checksum, summary, result
FROM tasks WHERE task_id = ? AND process <> ?
"""

_NEWEST = """
SELECT rowid, task_id, number, process, told, checksum, summary, NULL
FROM tasks WHERE process <> ? AND number < ? ORDER BY number DESC LIMIT ?
"""

_OF_PROCESS = """
SELECT rowid, task_id, number, process, told, checksum, summary, result
FROM tasks WHERE process = ? ORDER BY number LIMIT ?
"""

_WRITE = """
INSERT INTO tasks (task_id, number, process, told, checksum, summary, result)
VALUES (?, ?, ?, 0, ?, ?, ?)
ON CONFLICT (task_id) DO UPDATE SET
    checksum = excluded.checksum, summary = excluded.summary, result = excluded.result
"""

_UPDATE = """
UPDATE tasks SET process = ?, told = ?, checksum = ?, summary = ? WHERE task_id = ?
"""

_NUMBER = """
INSERT INTO numbers (name, value) VALUES ('task', ?)
ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)
"""

_LARGEST = 2**63 - 1  # SQLite has no larger numbers


class TakenOver(NamedTuple):
    """A task of a process that has ended. It belongs to this process now.

    Args:
        record: the task, which is over.
        is_told: whether its terminal event was sent.
    """

    record: TaskRecord
    is_told: bool


class _SavedResult(NamedTuple):
    """The size and the CRC-32 of a result that is saved."""

    size: int
    checksum: int


class TaskTable:
    """The tasks in the memory of the server.

    Args:
        memory: the memory; None: nothing is saved or found.
        limits: the limits of results, for the events of tasks that are taken over.
        clock: returns monotonic seconds.
        now: returns the time of day, UTC.
    """

    def __init__(
        self,
        memory: ServerMemory | None = None,
        limits: ResultLimits | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._memory = memory or ServerMemory()
        self._clock = clock
        self._now = now
        self._reader = RowReader(limits or ResultLimits(), clock, now)
        self._saved: dict[str, _SavedResult] = {}  # the saved results of this process, by task
        self._saved_bytes = 0  # the sum of their sizes

    # ---------------------------------------------------------------- the tasks of this process

    def save(self, record: TaskRecord, *, soon: bool = True) -> None:
        """Save a task with its present status. Neither waits nor switches greenlets.

        Args:
            record: the task.
            soon: False if it is enough to save it within a second.
        """
        if not self._memory.is_open:
            return
        if record.is_over and self._has_room(record):
            self._count_result(record)
        self._memory.save(
            ("task", record.task_id),
            lambda connection: self._write(connection, record),
            soon=soon,
        )

    def wait_until_saved(self, task_id: str) -> None:
        """Wait until other processes can find what was saved of a task, or until it is late."""
        self._memory.wait_until_saved(("task", task_id), ("told", task_id), ("gone", task_id))

    def told(self, record: TaskRecord) -> None:
        """Note that the terminal event of a task is being sent, so that nobody sends it again.

        The last progress of the task is saved, too; the result is not written again.
        """
        self._memory.save(
            ("told", record.task_id), lambda connection: self._update(connection, record, told=1)
        )

    def forget(self, task_id: str, *, soon: bool = False) -> None:
        """Remove a task, of this process or another.

        Args:
            task_id: the ID of the task.
            soon: False if it is enough to remove it within a second, as a thousand tasks may be
                forgotten together.
        """
        if (saved := self._saved.pop(task_id, None)) is not None:
            self._saved_bytes -= saved.size
        self._memory.discard(("task", task_id), ("told", task_id))
        self._memory.save(
            ("gone", task_id),
            lambda connection: connection.execute(
                "DELETE FROM tasks WHERE task_id = ?", (task_id,)
            ),
            soon=soon,
        )

    # ---------------------------------------------------------------- the tasks of others

    def last_number(self) -> int:
        """Return the largest number that a task ever had; 0 if none is known."""
        rows = self._memory.read("SELECT value FROM numbers WHERE name = 'task'")
        return next((value for (value,) in rows if isinstance(value, int)), 0)

    def claim_place(self) -> int | None:
        """Return a number that no other running process has; None if none can be had.

        May switch greenlets.
        """
        return self._memory.change(self._claim_place)

    def find(self, task_id: str) -> TaskRecord | None:
        """Return the task of another process with this ID, if there is one."""
        if not self._memory.is_open or not task_id.isascii():
            return None
        rows = self._memory.read(_FIND, (task_id, self._memory.process))
        return next(iter(self._elsewhere(rows)), None)

    def newest(self, count: int, before: int | None) -> list[TaskRecord]:
        """Return the newest tasks of other processes, newest first, without their results.

        Args:
            count: the largest number of tasks to return.
            before: return only tasks with a lower number than this.
        """
        rows = self._memory.read(
            _NEWEST,
            (self._memory.process, _LARGEST if before is None else min(before, _LARGEST), count),
        )
        return self._elsewhere(rows)

    def ended_processes(self) -> list[str]:
        """Return the names of the processes that have ended and whose tasks are in the table."""
        rows = self._memory.read(
            "SELECT DISTINCT process FROM tasks WHERE process <> ?", (self._memory.process,)
        )
        return self._memory.ended(name for (name,) in rows)

    def take_over(self, process: str) -> list[TakenOver]:
        """Make some tasks of a process that has ended the tasks of this process.

        An unfinished task becomes failed. Of several processes that try this, each task goes to
        one. May switch greenlets.

        Returns:
            The tasks, those that began first first; none if there are no more.
        """
        return self._memory.change(lambda connection: self._take(connection, process)) or []

    # ---------------------------------------------------------------- private

    def _claim_place(self, connection: sqlite3.Connection) -> int | None:
        rows = connection.execute(
            "SELECT substr(name, 7), value FROM numbers WHERE name LIKE 'place:%'"
        ).fetchall()
        ended = set(self._memory.ended(process for process, _ in rows))
        for process in ended:
            connection.execute("DELETE FROM numbers WHERE name = ?", (f"place:{process}",))
        used = {place for process, place in rows if process not in ended}
        place = next((place for place in range(_PLACES) if place not in used), None)
        if place is not None:
            name = f"place:{self._memory.process}"
            connection.execute("INSERT OR REPLACE INTO numbers VALUES (?, ?)", (name, place))
        return place

    def _take(self, connection: sqlite3.Connection, process: str) -> list[TakenOver]:
        taken: list[TakenOver] = []
        while not taken:
            rows = connection.execute(_OF_PROCESS, (process, ROWS_AT_ONCE)).fetchall()
            if not rows:
                break
            for row in map(TaskRow._make, rows):
                if (record := self._reader.read(row)) is None:
                    connection.execute("DELETE FROM tasks WHERE rowid = ?", (row.rowid,))
                    logger.warning("a damaged record of a task was removed")
                    continue
                if row.result is not None:
                    self._count_result(record)
                if not record.is_over:
                    lost = TaskOutcome.lost(had_begun=record.had_slot)
                    record.end(lost, self._now(), self._clock())
                self._update(connection, record, told=row.told)
                taken.append(TakenOver(record, bool(row.told)))
        return taken

    def _write(self, connection: sqlite3.Connection, record: TaskRecord) -> None:
        result = None
        if record.outcome is not None and record.task_id in self._saved:
            result = record.outcome.result_json
        summary, checksum = self._summary(record)
        connection.execute(
            _WRITE,
            (record.task_id, record.number, self._memory.process, checksum, summary, result),
        )
        connection.execute(_NUMBER, (record.number,))

    def _update(self, connection: sqlite3.Connection, record: TaskRecord, *, told: int) -> None:
        summary, checksum = self._summary(record)
        connection.execute(_UPDATE, (self._memory.process, told, checksum, summary, record.task_id))

    def _summary(self, record: TaskRecord) -> tuple[bytes, int]:
        saved = self._saved.get(record.task_id)
        summary = summary_of(record, None if saved is None else saved.checksum)
        process = self._memory.process
        return summary, row_checksum(record.task_id, record.number, process, summary)

    def _has_room(self, record: TaskRecord) -> bool:
        return (
            self._memory.is_durable
            or self._saved_bytes + record.result_bytes
            <= RESULTS_BYTES_IN_RAM // self._memory.workers
        )

    def _count_result(self, record: TaskRecord) -> None:
        if record.outcome is not None and record.outcome.result_json is not None:
            result = record.outcome.result_json
            self._saved[record.task_id] = _SavedResult(len(result), zlib.crc32(result))
            self._saved_bytes += len(result)

    def _elsewhere(self, rows: list[tuple[Any, ...]]) -> list[TaskRecord]:
        read = map(self._reader.read, map(TaskRow._make, rows))
        records = [record for record in read if record is not None]
        for record in records:
            record.is_elsewhere = True
        return records
