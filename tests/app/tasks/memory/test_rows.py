"""The rows of the table of tasks: a task is read as it was written, or not at all."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from app.schemas.task_schema import TaskStatus
from app.tasks.memory.rows import RowReader, TaskRow, row_checksum, summary_of
from app.tasks.params.remembered import RememberedParams
from app.tasks.run.outcome import ResultLimits
from app.tasks.run.record import TaskOrigin, TaskRecord
from tests.app.tasks.memory.table_support import NOW, completed, pending, running

RESULT = b'{"a":1}'


def read(row: TaskRow, seconds_later: float = 0.0) -> TaskRecord | None:
    """Return the task of a row, as a process reads it some time later."""
    now = NOW + timedelta(seconds=seconds_later)
    return RowReader(ResultLimits(), lambda: 5000.0, lambda: now).read(row)


def row_of(record: TaskRecord, *, with_result: bool = True) -> TaskRow:
    """Return the row of a task."""
    result = record.outcome.result_json if record.outcome is not None and with_result else None
    summary = summary_of(record, None if result is None else zlib.crc32(result))
    checksum = row_checksum(record.task_id, record.number, "p-1", summary)
    return TaskRow(1, record.task_id, record.number, "p-1", 0, checksum, summary, result)


@pytest.mark.parametrize("make", [pending, running, completed])
def test_a_task_is_read_as_it_was_written(make: Callable[[int], TaskRecord]) -> None:
    """Everything that answers contain is the same."""
    record = make(7)
    copy = read(row_of(record))
    assert copy is not None
    assert (copy.full_json(), copy.number) == (record.full_json(), 7)
    assert copy.task.name == record.task.name
    with pytest.raises(NotImplementedError):
        copy.task.execute(None)  # type: ignore[arg-type]


def test_the_params_are_read_as_they_were_written() -> None:
    """A task that was lost can be started again with the same params."""
    record = running(7)
    assert (copy := read(row_of(record))) is not None
    assert copy.origin == TaskOrigin()
    params = RememberedParams('{"a": 1}', ("token",))
    record.origin = TaskOrigin("192.0.2.1", 8, params)
    assert (copy := read(row_of(record))) is not None
    assert copy.origin == TaskOrigin(params=params)


def test_the_times_go_on() -> None:
    """The monotonic times of the reading process are as long ago as the times of day."""
    copy = read(row_of(completed(1)), 60.0)
    assert copy is not None
    assert (copy.started_clock, copy.finished_clock) == (4940.0, 4940.0)
    copy = read(row_of(completed(1)), -60.0)
    assert copy is not None
    assert copy.finished_clock == 5000.0


def test_a_result_that_was_not_saved_is_omitted() -> None:
    """The status names it."""
    copy = read(row_of(completed(1), with_result=False))
    assert copy is not None
    assert copy.status is TaskStatus.COMPLETED
    assert json.loads(copy.full_json())["omitted"] == ["result"]


def test_a_damaged_result_is_omitted() -> None:
    """The rest of the task is right."""
    copy = read(row_of(completed(1))._replace(result=b'{"a":2}'))
    assert copy is not None
    assert copy.summary() == completed(1).summary()
    assert json.loads(copy.full_json())["omitted"] == ["result"]


@pytest.mark.parametrize(
    "change",
    [
        {"task_id": "t2"},
        {"number": 8},
        {"number": None},
        {"process": "p-2"},
        {"checksum": 1},
        {"checksum": None},
        {"summary": b"{}"},
        {"summary": "text"},
        {"summary": None},
        {"result": 5},
    ],
)
def test_a_damaged_row_is_not_read(change: dict[str, Any]) -> None:
    """A value that is not the one that was written makes the row invalid, whatever its type."""
    assert read(row_of(completed(7))._replace(**change)) is None


@pytest.mark.parametrize("summary", [b"", b"[]", b"{}", b'{"task_id": 1}', b"\xff"])
def test_a_summary_of_nobody_is_not_read(summary: bytes) -> None:
    """A right checksum over something else does not make it a task."""
    row = TaskRow(1, "t1", 1, "p-1", 0, row_checksum("t1", 1, "p-1", summary), summary, None)
    assert read(row) is None
