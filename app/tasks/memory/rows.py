"""The rows of the table of tasks: how a task is written, and how it is read again."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple

from app.schemas.task_schema import TaskStatus, TaskSummary
from app.tasks.base import BaseTask, TaskProgressHandle
from app.tasks.params.remembered import RememberedParams
from app.tasks.run.outcome import ResultLimits, TaskOutcome
from app.tasks.run.record import TaskOrigin, TaskRecord

__all__ = ["RowReader", "TaskRow", "row_checksum", "summary_of"]


class TaskRow(NamedTuple):
    """A row as it is read. It may be damaged, so each value may be of any type.

    Args:
        rowid: SQLite's number of the row.
        task_id: the ID of the task.
        number: the place of the task in the order of all starts.
        process: the mark of the process that the task belongs to.
        told: 1 if the terminal event was sent.
        checksum: the :func:`row_checksum`.
        summary: the :func:`summary_of` the task.
        result: the result as JSON; None if there is none, or it was not read.
    """

    rowid: int
    task_id: str
    number: int
    process: str
    told: int
    checksum: int
    summary: bytes
    result: bytes | None


def summary_of(record: TaskRecord, result_checksum: int | None) -> bytes:
    """Return everything that is saved of a task except its result, as JSON.

    Args:
        record: the task.
        result_checksum: the CRC-32 of the saved result; None if the result is not saved.
    """
    fields = record.summary().model_dump(mode="json")
    if record.origin.params is not None:
        fields["params"] = record.origin.params
    if record.outcome is not None and record.outcome.result_json is not None:
        is_saved = result_checksum is not None
        fields["dropped"] = record.outcome.dropped if is_saved else ["result"]
        fields["result_checksum"] = result_checksum
    return json.dumps(fields).encode()  # ASCII, whatever the texts are


def row_checksum(task_id: str, number: int, process: str, summary: bytes) -> int:
    """Return a number that shows whether a row is as it was written."""
    return zlib.crc32(summary, zlib.crc32(f"{task_id} {number} {process} ".encode()))


class RowReader:
    """The reader of rows.

    Args:
        limits: the limits of results, for events that were not sent.
        clock: returns monotonic seconds.
        now: returns the time of day, UTC.
    """

    def __init__(
        self, limits: ResultLimits, clock: Callable[[], float], now: Callable[[], datetime]
    ) -> None:
        self._limits = limits
        self._clock = clock
        self._now = now

    def read(self, row: TaskRow) -> TaskRecord | None:
        """Return the task of a row; None if the row is damaged.

        If only the result is damaged, the task is one whose result was not saved.
        """
        try:
            expected = row_checksum(row.task_id, row.number, row.process, row.summary)
            if row.checksum != expected:
                return None
            fields = json.loads(row.summary)
            dropped, result = fields.pop("dropped", None), row.result
            result_checksum = fields.pop("result_checksum", None)
            if result is not None and zlib.crc32(result) != result_checksum:
                result, dropped = None, ["result"]
            params = fields.pop("params", None)
            record = self._restore(TaskSummary(**fields), row.number, result, dropped)
            if params is not None:
                text, left_out = params
                record.origin = TaskOrigin(params=RememberedParams(text, tuple(left_out)))
            return record
        except (ValueError, TypeError, AttributeError):
            return None

    def _restore(
        self, summary: TaskSummary, number: int, result: bytes | None, dropped: list[str] | None
    ) -> TaskRecord:
        task = _RememberedTask(summary.task_type)
        record = TaskRecord(summary.task_id, task, {}, summary.created_at, number)
        record.status = summary.status
        record.progress = summary.progress
        if summary.started_at is not None:
            record.started_at = summary.started_at
            record.started_clock = self._clock() - self._age(summary.started_at)
        if record.is_over and summary.finished_at is not None:
            record.outcome = TaskOutcome.remembered(
                summary.status, result, dropped, summary.error, self._limits
            )
            record.lacks_result = summary.status is TaskStatus.COMPLETED and result is None
            record.finished_at = summary.finished_at
            record.finished_clock = self._clock() - self._age(summary.finished_at)
        return record

    def _age(self, then: datetime) -> float:
        """Return the seconds since a time; 0 if the clock was set back behind it."""
        return max((self._now() - then).total_seconds(), 0.0)


class _RememberedTask(BaseTask):
    """A task that another process ran. Only its name is known."""

    def __init__(self, name: str) -> None:
        self.__dict__["name"] = name  # a class variable of other tasks

    def execute(self, progress_handle: TaskProgressHandle, **kwargs: Any) -> Any:
        """Refuse, because the task has run already."""
        raise NotImplementedError
